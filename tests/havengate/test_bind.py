"""Plans held against a table's schema, as JSON in data/bind.json; what JSON cannot say stands here."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from havengate.bind import MAX_CONDITIONS, bind
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.plan_json import plan_from_json
from havengate.types import (
    Aggregate,
    AggregateFunction,
    Arith,
    Compare,
    Contains,
    Distinct,
    Exists,
    Field,
    In,
    Literal,
    Match,
    Not,
    NumberTerm,
    Or,
    Range,
    SearchPlan,
    SortKey,
    Span,
    TextTerm,
    Variable,
)
from schemas.resolve import resolve
from schemas.vendor import read_schema

DATA = json.loads((Path(__file__).parent / "data" / "bind.json").read_text("utf-8"))
SCHEMA = resolve(read_schema(json.dumps(DATA["schema"])))
HERE = Span(3, 8)
ONE = AggregateFunction("count")
STOCK, TITLE, SIZES = Field("stock"), Field("title"), Field("sizes")


def bound(**plan):
    return bind(SearchPlan("goods", **plan), SCHEMA, window=5000)


def refusal(**plan):
    with pytest.raises(RequestError) as caught:
        bound(**plan)
    return caught.value


@pytest.mark.parametrize("case", DATA["refused"], ids=lambda case: case["about"])
def test_a_plan_that_does_not_fit_the_table_is_refused_with_the_engines_code(case):
    plan = plan_from_json("goods", case["plan"])
    with pytest.raises(RequestError) as caught:
        bind(plan, SCHEMA, window=5000)
    assert int(caught.value.code) == case["code"], caught.value.message
    assert case["says"] in caught.value.message


@pytest.mark.parametrize("case", DATA["taken"], ids=lambda case: case["about"])
def test_a_plan_that_fits_is_taken_as_it_is(case):
    plan = plan_from_json("goods", case["plan"])
    assert bind(plan, SCHEMA, window=5000) == plan


@pytest.mark.parametrize(
    "plan",
    [
        {"query": TextTerm("vector", "a", span=HERE)},
        {"query": TextTerm("words", "!", span=HERE)},
        {"query": TextTerm("words", "a", weight=math.inf, span=HERE)},
        {"query": NumberTerm("stocks", 2, 1, span=HERE)},
        {"filter": Range(Field("title", span=HERE), Literal(1))},
        {"filter": Range(STOCK, span=HERE)},
        {"filter": Range(STOCK, Literal("a", HERE))},
        {"filter": Contains(Field("stock", span=HERE), Literal(1))},
        {"filter": Contains(TITLE, Literal(1, HERE))},
        {"filter": Exists(Field("nowhere", span=HERE))},
        {"filter": Match(Field("title", span=HERE), "a")},
        {"filter": Match(Field("body"), "", span=HERE)},
        {"filter": Compare("=", Arith("+", Literal(1), Literal(2), HERE), STOCK)},
        {"filter": Compare("=", Arith("+", Literal(1), Field("sizes", span=HERE)), STOCK)},
        {"filter": Compare("=", Arith("&", Literal(1.5, HERE), STOCK), STOCK)},
        {"filter": Compare("=", Arith("+", Literal(2**64, HERE), STOCK), STOCK)},
        {"filter": Compare("=", Arith("+", Literal(math.nan, HERE), STOCK), STOCK)},
        {"sort": (SortKey(SIZES, descending=True, span=HERE),)},
        {"sort": (SortKey(Literal(1, HERE), descending=True),)},
        {"distinct": (Distinct(TITLE, count=0, span=HERE),)},
        {"distinct": (Distinct(TITLE, grades=(math.inf,), span=HERE),)},
        {"distinct": (Distinct(TITLE), Distinct(STOCK), Distinct(TITLE, span=HERE))},
        {"aggregates": (Aggregate((), (ONE,), span=HERE),)},
        {"aggregates": (Aggregate((TITLE,), (), span=HERE),)},
        {"aggregates": (Aggregate((STOCK,), (ONE,), ranges=(math.nan,), span=HERE),)},
        {"aggregates": (Aggregate((Literal("a", HERE),), (ONE,)),)},
    ],
    ids=repr,
)
def test_an_error_points_at_its_part(plan):
    assert refusal(**plan).span == HERE


def test_the_ends_of_a_number_term_are_finite():
    for end in (math.nan, math.inf):
        assert refusal(query=NumberTerm("prices", end)).code is HaCode.NUMBER_RANGE_ERROR
        assert refusal(query=NumberTerm("prices", high=end)).code is HaCode.NUMBER_RANGE_ERROR


def test_an_integer_may_be_larger_than_any_float():
    huge = 10**400
    term, aggregate = NumberTerm("stocks", 1, huge), Aggregate((STOCK,), (ONE,), ranges=(1.5, huge))
    plan = bound(query=term, aggregates=(aggregate,), filter=Range(STOCK, Literal(huge)))
    assert (plan.query, plan.aggregates) == (term, (aggregate,))
    assert len(refusal(query=NumberTerm("stocks", huge, 1)).message) < 100


def nested(levels):
    operand = STOCK
    for _ in range(levels):
        operand = Arith("+", operand, Literal(1))
    return operand


@pytest.mark.parametrize(
    "place",
    [
        lambda operand: {"filter": Compare("=", Literal(1), operand)},
        lambda operand: {"sort": (SortKey(operand, descending=True),)},
        lambda operand: {"distinct": (Distinct(operand),)},
        lambda operand: {"aggregates": (Aggregate((operand,), (ONE,)),)},
        lambda operand: {"aggregates": (Aggregate((TITLE,), (AggregateFunction("sum", operand),)),)},
    ],
    ids=["filter", "sort", "distinct", "key", "value"],
)
def test_arithmetic_has_a_depth(place):
    bound(**place(nested(64)))
    for levels in (65, 5000):
        assert "deeper than 64" in refusal(**place(nested(levels))).message


WIDE = Or((Exists(STOCK),) * (MAX_CONDITIONS // 2))


@pytest.mark.parametrize(
    "plan",
    [
        {"filter": Or((Not(Compare("=", STOCK, Literal(1))),) * (MAX_CONDITIONS // 2))},
        {"filter": Or((Compare("=", STOCK, nested(4)),) * (MAX_CONDITIONS // 8))},
        {"filter": In(STOCK, (Literal(1),) * MAX_CONDITIONS)},
        {"filter": WIDE, "distinct": (Distinct(TITLE, filter=WIDE),)},
        {"aggregates": (Aggregate((TITLE,), (ONE,), filter=WIDE),) * 2},
        {"variables": (Variable("a", WIDE), Variable("b", WIDE))},
        {"aggregates": (Aggregate((nested(60),) * 4, (AggregateFunction("sum", nested(60)),) * 16),) * 16},
    ],
    ids=["not", "arithmetic", "in", "distinct", "aggregates", "variables", "keys and values"],
)
def test_all_conditions_and_expressions_of_a_plan_count_together(plan):
    assert f"more than {MAX_CONDITIONS} parts" in refusal(**plan).message


def test_as_many_parts_as_there_may_be_are_taken():
    assert bound(filter=In(STOCK, (Literal(1),) * (MAX_CONDITIONS - 1))).filter is not None


def test_a_literal_beside_arithmetic_has_64_bits_on_either_side():
    double = Arith("*", STOCK, Literal(2))
    for sides in ((double, Literal(2**64, HERE)), (Literal(2**64, HERE), double)):
        error = refusal(filter=Compare("<", *sides))
        assert (error.code, error.span) == (HaCode.CONST_EXPRESSION_VALUE, HERE)
        assert bound(filter=Compare("<", *(replace(side, value=2**63) if side != double else side for side in sides)))


def test_all_terms_count_together():
    terms = (TextTerm("words", "a"),) * 512 + (NumberTerm("stocks", 1),) * 513
    assert "1025 terms" in refusal(query=Or(terms)).message
    assert bound(query=Or(terms[:-1])).query == Or(terms[:-1])


@pytest.mark.parametrize("value", ["7", 7])
def test_a_key_of_a_map_compares_with_texts_and_numbers_on_either_side(value):
    for sides in ((Field("tags", "size"), Literal(value)), (Literal(value), Field("tags", "size"))):
        assert bound(filter=Compare("=", *sides)).filter == Compare("=", *sides)


def test_a_variable_has_its_literals_typed_and_is_a_number():
    truth = In(STOCK, (Literal("7"),))
    assert bound(variables=(Variable("a", truth),)).variables == (Variable("a", In(STOCK, (Literal(7),))),)
    for value in (math.nan, math.inf, 2**64):
        assert refusal(variables=(Variable("a", Literal(value)),)).code is HaCode.CONST_EXPRESSION_VALUE
    for seconds in (math.nan, math.inf):
        assert refusal(timeout_s=seconds).code is HaCode.CONFIG_CLAUSE_TIMEOUT


def test_literals_inside_distinct_and_aggregates_are_typed():
    text, typed = In(STOCK, (Literal("7"),)), In(STOCK, (Literal(7),))
    aggregate = Aggregate((TITLE,), (ONE,), filter=text)
    plan = bound(distinct=(Distinct(TITLE, filter=text),), aggregates=(aggregate,))
    assert plan.distinct == (Distinct(TITLE, filter=typed),)
    assert plan.aggregates == (replace(aggregate, filter=typed),)


def test_a_list_in_a_map_may_contain_anything():
    for value in ("a", 1, 1.5):
        assert bound(filter=Contains(Field("tags", "size"), Literal(value)))
    assert refusal(filter=Contains(Field("tags", "size"), Literal(math.inf))).code is HaCode.CONST_EXPRESSION_VALUE
