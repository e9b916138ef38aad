"""Functions, at-least and polygons in the plan's JSON and against a schema: what is taken, what is refused and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from havengate.bind import bind
from havengate.bind_expr import bind_expr, bind_value
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.expr_json import by_to_json, expr_to_json
from havengate.functions import FUNCTIONS
from havengate.plan_json import plan_from_json
from havengate.types import Arith, Call, Compare, Field, Literal, Span
from schemas.resolve import resolve
from schemas.table import FieldType
from schemas.vendor import read_schema

FOLDER = Path(__file__).parent / "data"
DATA = json.loads((FOLDER / "bind_functions.json").read_text("utf-8"))
SCHEMA = resolve(read_schema(json.dumps(json.loads((FOLDER / "bind.json").read_text("utf-8"))["schema"])))
HERE = Span(3, 8)


def condition(body):
    return plan_from_json("goods", {"filter": body}).filter


@pytest.mark.parametrize("case", DATA["refused"], ids=lambda case: case["about"])
def test_a_condition_that_does_not_fit_is_refused_with_the_engines_code(case):
    with pytest.raises(RequestError) as caught:
        bind_expr(condition(case["filter"]), SCHEMA)
    assert int(caught.value.code) == case["code"], caught.value.message
    assert case["says"] in caught.value.message


@pytest.mark.parametrize("body", DATA["taken"], ids=str)
def test_a_condition_that_fits_is_taken_and_written_as_it_was(body):
    read = condition(body)
    assert bind_expr(read, SCHEMA) == read
    assert expr_to_json(read) == body


@pytest.mark.parametrize("case", DATA["unread"], ids=lambda case: case["says"])
def test_json_that_is_no_condition_is_refused_with_its_place(case):
    with pytest.raises(RequestError) as caught:
        plan_from_json("goods", {"filter": case["filter"]})
    assert caught.value.code is HaCode.PARSE_SYNTAX
    assert caught.value.message.startswith(case["says"])


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (Call("pow", (Field("price"), Literal(2))), FieldType.FLOAT),
        (Call("log", (Literal(2), Field("stock"))), FieldType.FLOAT),
        (Call("distance", (Field("price"), Field("stock"), Literal(1), Literal(2))), FieldType.FLOAT),
        (Call("fieldlen", (Field("sizes"),)), FieldType.INT64),
        (Call("to_string", (Field("day"),)), FieldType.STRING),
        (Call("string_replace", (Field("title"), Literal("ab"), Literal("c"))), FieldType.STRING),
        (Arith("+", Call("fieldlen", (Field("sizes"),)), Literal(1)), FieldType.INT64),
        (Arith("+", Call("pow", (Field("stock"), Literal(2))), Literal(1)), FieldType.DOUBLE),
    ],
    ids=lambda part: str(part.name) if isinstance(part, Call) else None,
)
def test_a_function_sorts_and_groups_as_what_it_gives(call, kind):
    assert bind_value(call, SCHEMA, HaCode.SORT_CLAUSE).type is kind
    plan = plan_from_json("goods", {"sort": [{"by": by_to_json(call)}]})
    assert bind(plan, SCHEMA, window=100).sort[0].by == call


def test_a_function_of_constants_alone_neither_sorts_nor_groups():
    for constant in (Call("pow", (Literal(2), Literal(3))), Call("to_string", (Literal("a"),))):
        with pytest.raises(RequestError) as caught:
            bind_value(constant, SCHEMA, HaCode.DISTINCT_CLAUSE)
        assert caught.value.code is HaCode.DISTINCT_CLAUSE


def test_functions_have_a_depth():
    """Four levels of 64 each."""
    value = Field("price")
    for _ in range(16):
        value = Call("pow", (value, Literal(2)))
    bind_expr(Compare("=", value, Literal(1)), SCHEMA)
    with pytest.raises(RequestError, match="deeper than 64 levels") as caught:
        bind_expr(Compare("=", Call("pow", (value, Literal(2))), Literal(1)), SCHEMA)
    assert caught.value.code is HaCode.FILTER_CLAUSE


def test_the_error_points_at_the_argument():
    wrong = Compare("=", Call("pow", (Field("title", span=HERE), Literal(2)), Span(0, 20)), Literal(1))
    with pytest.raises(RequestError) as caught:
        bind_expr(wrong, SCHEMA)
    assert caught.value.span == HERE


def test_every_function_of_the_catalogue_is_read():
    for name, function in FUNCTIONS.items():
        call = {"call": {"name": name, "args": [{"field": "a"}] * len(function.arguments)}}
        assert expr_to_json(condition({"compare": {"op": "=", "left": call, "right": 1}}))["compare"]["left"] == call
