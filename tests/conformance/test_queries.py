"""Query clauses: their trees and messages, and the trees in the engine's own form where its tests assert them."""

import json
from pathlib import Path

import pytest
from engine_trees import engine_tree

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.query import parse_query
from query_parser.show_query import query_text

FILES = ("query_clause.json", "queries.json")
CASES = [
    case
    for name in FILES
    for case in json.loads((Path(__file__).parent / "ha3" / name).read_text(encoding="utf-8"))["cases"]
]


def cases(key=None):
    return [pytest.param(case, id=case["given"][:60] or "empty") for case in CASES if key is None or key in case]


def layers(text):
    return parse_query(text, Span(0, len(text)), [])


@pytest.mark.parametrize("case", cases("result"))
def test_tree(case):
    assert " ;; ".join(map(query_text, layers(case["given"]))) == case["result"]


@pytest.mark.parametrize("case", cases("error"))
def test_message(case):
    with pytest.raises(RequestError) as caught:
        layers(case["given"])
    assert (caught.value.code, caught.value.message) == (HaCode.QUERY_CLAUSE, case["error"])
    assert caught.value.span is not None


@pytest.mark.parametrize("case", cases("engine_tree"))
def test_tree_in_the_engines_form(case):
    (layer,) = layers(case["given"])
    operator, joins_terms = case.get("default_operator", "AND"), case.get("joins_terms", True)
    assert engine_tree(layer, operator, joins_terms=joins_terms) == case["engine_tree"]


@pytest.mark.parametrize("case", cases("label"))
def test_label(case):
    (layer,) = layers(case["given"])
    assert layer.label == case["label"]
