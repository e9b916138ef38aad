"""Runs the HA3 cases of tests/conformance/ha3; each file's ``about`` says what its cases hold."""

import json
from pathlib import Path

import pytest

from havengate.codes import HaCode
from havengate.errors import RequestError, UnknownTable
from havengate.types import Span
from query_parser.expr import parse_expr
from query_parser.judge import judge
from query_parser.parse import parse_request
from query_parser.plan import plan_request
from query_parser.show_expr import expr_text


def cases(name, **wanted):
    path = Path(__file__).parent / "ha3" / name
    found = json.loads(path.read_text(encoding="utf-8"))["cases"]
    chosen = [case for case in found if all(case.get(key) == value for key, value in wanted.items())]
    return [pytest.param(case, id=case["given"][:60] or "empty") for case in chosen]


def outcome(work, error_part):
    try:
        return work()
    except RequestError as error:
        return error_part(error) if error.span else "an error without a span"


@pytest.mark.parametrize("case", cases("filter_expr.json"))
def test_filter_expression(case):
    given = case["given"]
    found = outcome(
        lambda: expr_text(parse_expr(given, Span(0, len(given)), HaCode.FILTER_CLAUSE, [])),
        lambda error: int(error.code),
    )
    assert found == case.get("result", case.get("error"))


def name_of(error):
    return error.code.name


@pytest.mark.parametrize("case", cases("requests.json", needs=None))
def test_request(case):
    found = outcome(lambda: judge(case["clause"], case["given"]) and "OK", name_of)
    assert found == case.get("result", case.get("error"))


@pytest.mark.parametrize("case", cases("requests.json", needs="clusters"))
def test_request_where_some_clusters_are_known(case):
    """None of them is the default, so that a request which names no cluster has none."""

    def resolve(cluster, span):
        if cluster not in case["clusters"]:
            raise UnknownTable(f"no table {cluster!r}", span=span or Span(0, 0))
        raise AssertionError("the verdict hangs on a cluster that is not known")

    def plan():
        plan_request(parse_request(case["given"]), resolve, index_aliases=frozenset(), window=5000)

    assert outcome(plan, name_of) == case["error"]


@pytest.mark.parametrize("case", cases("clauses.json"))
def test_clause(case):
    found = outcome(lambda: judge(case["clause"], case["given"]).tree, name_of)
    assert found == case.get("result", case.get("error"))


@pytest.mark.parametrize("case", [case for case in cases("clauses.json") if case.values[0].get("result")])
def test_the_text_of_a_clause_is_read_as_the_same_clause(case):
    clause, shown = case["clause"], case["result"]
    if clause != "aux_query":  # shown as a tree, not in HA3 syntax
        assert judge(clause, shown).tree == shown
