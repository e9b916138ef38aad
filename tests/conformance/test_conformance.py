"""Runs the HA3 cases of tests/conformance/ha3; each file's ``about`` says what its cases hold."""

import json
from pathlib import Path

import pytest

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.expr import parse_expr
from query_parser.parse import parse_request
from query_parser.query import parse_query
from query_parser.show_expr import expr_text
from query_parser.show_query import query_text


def cases(name):
    path = Path(__file__).parent / "ha3" / name
    found = json.loads(path.read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["given"][:60] or "empty") for case in found]


def outcome(work, error_part):
    try:
        return work()
    except RequestError as error:
        return error_part(error) if error.span else "an error without a span"


@pytest.mark.parametrize("case", cases("query_clause.json"))
def test_query_clause(case):
    given = case["given"]
    found = outcome(
        lambda: " ;; ".join(query_text(layer) for layer in parse_query(given, Span(0, len(given)), [])),
        lambda error: (error.code, error.message),
    )
    expected = case["result"] if "result" in case else (HaCode.QUERY_CLAUSE, case["error"])
    assert found == expected


@pytest.mark.parametrize("case", cases("filter_expr.json"))
def test_filter_expression(case):
    given = case["given"]
    found = outcome(
        lambda: expr_text(parse_expr(given, Span(0, len(given)), HaCode.FILTER_CLAUSE, [])),
        lambda error: int(error.code),
    )
    assert found == case.get("result", case.get("error"))


@pytest.mark.parametrize("case", cases("requests.json"))
def test_request(case):
    found = outcome(lambda: parse_request(case["given"]) and "OK", lambda error: error.code.name)
    assert found == case.get("result", case.get("error"))
