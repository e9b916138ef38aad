"""Conditions against the plain reference, and what arithmetic, ranges, contains, exists and matches mean one by one."""

from __future__ import annotations

import random

import pytest
from engine_expressions import EDGES, FLOATS, MAP_KEYS, POLYGONS, TEXTS, WORDY, conditions
from engine_reference import Reference
from engine_samples import keys, make_row, make_schema, make_spec, query
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.contract import RowsQuery
from havengate.types import (
    MARK,
    Arith,
    Compare,
    Contains,
    Exists,
    Field,
    Literal,
    Match,
    Not,
    Or,
    Range,
)
from schemas.table import FieldType

SCHEMA = make_schema()
LOWEST = -(2**63)


def random_value(spec, chance):
    if spec.type is FieldType.MAP:
        pool = [*TEXTS, *EDGES, *FLOATS]
        one = lambda: chance.choice(pool)  # noqa: E731
        return {
            key: one() if chance.random() < 0.6 else [one() for _ in range(chance.randrange(3))]
            for key in MAP_KEYS
            if chance.random() < 0.6
        }
    if spec.type.is_integer:
        low, high = spec.type.bounds
        pool = [value for value in EDGES if low <= value <= high]
    else:
        pool = {FieldType.STRING: TEXTS, FieldType.TEXT: WORDY}.get(spec.type, FLOATS)
    if spec.multi_value and spec.type.is_number and chance.random() < 0.5:
        return [number if spec.type is FieldType.FLOAT else abs(int(number)) for number in chance.choice(POLYGONS)]
    return [chance.choice(pool) for _ in range(chance.randrange(4))] if spec.multi_value else chance.choice(pool)


def random_rows(count):
    chance = random.Random(7)
    specs = [spec for name, spec in SCHEMA.attribute_fields.items() if name != "id"]
    return [
        make_row(key, (key, 0), **{spec.name: random_value(spec, chance) for spec in specs if chance.random() < 0.75})
        for key in range(count)
    ]


@pytest.fixture
def table(engine):
    engine.create_table(make_spec(schema=SCHEMA))
    return engine


def found(engine, condition):
    return [int(key) for key in keys(engine.rows("t", RowsQuery(condition)))]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_conditions_hold_where_the_reference_says_so(table, data):
    """As a filter, as marks of rows, and as marks of a pool."""
    rows = random_rows(60)
    reference = Reference(SCHEMA)
    reference.upsert(rows)
    if not table.stats("t").rows:
        table.upsert("t", rows)
    asked, *marks = data.draw(st.lists(conditions(SCHEMA), min_size=1, max_size=4))
    matching = reference.matching(asked)
    expected = [[reference.truth(mark, row) is True for mark in marks] for row in matching]
    for answer in (
        table.rows("t", RowsQuery(asked, marks=tuple(marks))),
        table.pool("t", query((0, 0), n=100, filter=asked, marks=tuple(marks))),
    ):
        assert keys(answer) == [row.pk for row in matching]
        columns = [answer.frame[f"{MARK}{place}"].to_list() for place in range(len(marks))]
        assert [list(row) for row in zip(*columns, strict=True)] == (expected if marks else [])


ARITHMETIC = [
    ("+", "i64", 1, {0: LOWEST, 1: -6, 2: 8, 3: 1}),
    ("*", "i64", 2, {0: -2, 1: -14, 2: 14, 3: 0}),
    ("/", "i64", 2, {0: 2**62 - 1, 1: -3, 2: 3, 3: 0}),
    ("/", "i64", -2, {0: 1 - 2**62, 1: 3, 2: -3, 3: 0}),
    ("/", "i64", 0, {}),
    ("-", "u64", 1, {0: -2, 1: -(2**63) + 9, 2: 4, 3: -1}),
    ("&", "u64", 2**64 - 1, {0: -1, 1: LOWEST + 10, 2: 5, 3: 0}),
    ("|", "i64", 8, {0: 2**63 - 1, 1: -7, 2: 15, 3: 8}),
    ("^", "i64", -1, {0: LOWEST, 1: 6, 2: -8, 3: -1}),
    ("*", "i64", 0.5, {0: 2.0**62, 1: -3.5, 2: 3.5, 3: 0.0}),
    ("/", "d", 4, {0: 0.125, 1: 1.7e308 / 4, 2: -0.25}),
    ("*", "d", 10, {0: 5.0, 1: float("inf"), 2: -10.0}),
    ("/", "d", 0, {}),
    ("/", "u64", 1.5, {0: -1 / 1.5, 1: (10 - 2**63) / 1.5, 2: 5 / 1.5, 3: 0.0}),  # 5 * (1 / 1.5) is another number
    ("+", "u64", 0.5, {0: -0.5, 1: -(2.0**63), 2: 5.5, 3: 0.5}),
]


@pytest.mark.parametrize(("op", "field", "number", "expected"), ARITHMETIC)
def test_arithmetic(table, op, field, number, expected):
    rows = [
        {"i64": 2**63 - 1, "u64": 2**64 - 1, "d": 0.5},
        {"i64": -7, "u64": 2**63 + 10, "d": 1.7e308},
        {"i64": 7, "u64": 5, "d": -1.0},
        {"i64": 0, "u64": 0},
        {},
    ]
    table.upsert("t", [make_row(key, **row) for key, row in enumerate(rows)])
    value = Arith(op, Field(field), Literal(number))
    for key, result in expected.items():
        assert key in found(table, Compare("=", value, Literal(result))), (key, result)
    assert found(table, Or((Compare(">=", value, Literal(0)), Compare("<", value, Literal(0))))) == list(expected)
    assert found(table, Not(Compare("=", value, Field("i8")))) == []


def test_integers_wrap_where_only_one_quotient_does_not_fit(table):
    table.upsert("t", [make_row(1, i64=LOWEST)])
    for op, result in (("/", LOWEST), ("*", LOWEST), ("-", LOWEST + 1), ("+", 2**63 - 1)):
        assert found(table, Compare("=", Arith(op, Field("i64"), Literal(-1)), Literal(result))) == [1], op


def test_what_is_no_number_is_missing(table):
    table.upsert("t", [make_row(1, d=1.7e308)])
    endless = Arith("*", Field("d"), Literal(10))
    assert found(table, Compare(">", endless, Literal(1e308))) == [1]
    for nothing in (Arith("-", endless, endless), Arith("/", endless, endless), Arith("*", endless, Literal(0))):
        for op in ("=", "!=", "<", ">"):
            for condition in (Compare(op, nothing, Literal(0)), Compare(op, nothing, Field("d"))):
                assert found(table, Or((condition, Not(condition)))) == [], condition


def test_arithmetic_of_integers_compares_exactly_and_of_reals_as_doubles(table):
    table.upsert("t", [make_row(1, i64=2**53, i8=1, d=0.1, f=0.1)])
    one_more = Arith("+", Field("i64"), Field("i8"))
    assert found(table, Compare(">", one_more, Literal(2.0**53))) == [1]
    assert found(table, Compare("=", one_more, Literal(2.0**53))) == []
    assert found(table, Compare("=", Literal(2**53 + 1), one_more)) == [1]
    assert found(table, Compare("<", Literal(10**400), one_more)) == []
    assert found(table, Compare("=", Arith("+", one_more, Literal(0.0)), Literal(2.0**53))) == [1]
    assert found(table, Compare("=", Arith("*", Field("d"), Literal(3)), Literal(0.1 * 3))) == [1]
    assert found(table, Compare("=", Arith("*", Field("f"), Literal(1)), Literal(0.1))) == []
    assert found(table, Compare(">", Arith("*", Field("f"), Literal(1)), Field("d"))) == [1]


def test_a_range_asks_one_value_for_both_sides(table):
    table.upsert("t", [make_row(1, **{"is": [1, 9]})])
    table.upsert("t", [make_row(2, **{"is": [1, 5]}), make_row(3, **{"is": []}), make_row(4)])
    middle = Range(Field("is"), Literal(2), Literal(8))
    assert (found(table, middle), found(table, Not(middle))) == ([2], [1])
    assert found(table, Range(Field("is"), Literal(5), Literal(9), include_low=False, include_high=False)) == []
    assert found(table, Range(Field("is"), Literal(5), Literal(9), include_low=False)) == [1]
    assert found(table, Range(Field("is"))) == [1, 2]
    assert found(table, Not(Range(Field("is"), Literal(2**70)))) == [1, 2]


def test_text_contains_by_code_point_and_lists_by_equality(table):
    rows = [
        {"s": "Red helmet 100%", "ss": ["red", "blue"], "m": {"k": "dark red"}, "is": [1, 22], "t": "摩托车头盔"},
        {"s": "red", "ss": ["dark red"], "m": {"k": ["dark red", "red"]}, "is": [2], "t": "头的盔"},
        {"s": "", "ss": [], "m": {"k": 5}, "is": [], "t": "RED"},
        {},
    ]
    table.upsert("t", [make_row(key, **row) for key, row in enumerate(rows)])

    def holds(field, value, path=None):
        return found(table, Contains(Field(field, path), Literal(value)))

    assert (holds("s", "red"), holds("s", "100%"), holds("s", "*"), holds("s", "")) == ([1], [0], [], [0, 1, 2])
    assert (holds("t", "头盔"), holds("t", "red"), holds("t", "托车")) == ([0], [], [0])
    assert (holds("ss", "red"), holds("is", 2)) == ([0], [1])
    assert (holds("m", "red", "k"), holds("m", "dark", "k"), holds("m", 5, "k"), holds("m", "5", "k")) == (
        [0, 1],
        [0],
        [2],
        [],
    )
    assert found(table, Not(Contains(Field("m", "k"), Literal("red")))) == [2]
    assert found(table, Not(Contains(Field("ss"), Literal("red")))) == [1]


@pytest.mark.parametrize("length", [400, 20_000])
def test_long_texts_have_their_order_too(table, length):
    texts = ["", "y" * length, "z" * length, "zz" * length, "\uffff", "\U0001f600" * length]
    rows = [{"s": text, "ss": ["", text], "m": {"k": text, "n": 1}} for text in texts]
    table.upsert("t", [make_row(key, **row) for key, row in enumerate(rows)])
    for place, text in enumerate(texts[1:], 1):
        for field in (Field("s"), Field("ss"), Field("m", "k")):
            assert found(table, Compare(">", field, Literal(text))) == list(range(place + 1, 6))
            assert found(table, Not(Compare(">=", field, Literal(text)))) == list(range(place))
    assert found(table, Compare("<", Field("m", "k"), Literal(texts[3]))) == [0, 1, 2]
    assert found(table, Contains(Field("s"), Literal(texts[3]))) == [3]


def test_a_field_exists_where_it_has_a_value(table):
    rows = [{"s": "", "ss": [""], "m": {"a": [], "b": ""}}, {"ss": [], "m": {"a": []}}, {"m": {}}, {}]
    table.upsert("t", [make_row(key, **row) for key, row in enumerate(rows)])
    for field, expected in (
        (Field("s"), [0]),
        (Field("ss"), [0]),
        (Field("m"), [0]),
        (Field("m", "a"), []),
        (Field("m", "b"), [0]),
    ):
        assert found(table, Exists(field)) == expected, field
        assert found(table, Not(Exists(field))) == [key for key in range(4) if key not in expected], field


def test_words_match_in_runs_and_phrases(table):
    table.upsert("t", [make_row(1, t="摩托车头盔 Red-XL", ts=["红 头", "盔 XL"]), make_row(2, t="头的盔"), make_row(3)])

    def match(text, phrase=False, field="t"):
        return found(table, Match(Field(field), text, phrase))

    assert (match("头盔"), match("头 盔"), match("头盔 的"), match("xl 头盔")) == ([1], [1, 2], [], [1])
    assert (match("xl red"), match("xl red", True), match("ＲＥＤ xl", True)) == ([1], [], [1])
    assert (match("头盔", field="ts"), match("红头", True, "ts"), match("头 xl", field="ts")) == ([], [1], [1])
    assert (match("re"), match("?!"), match("", True)) == ([], [], [])
    assert found(table, Not(Match(Field("t"), "头盔"))) == [2, 3]


def deep(depth):
    value = Field("i64")
    for _ in range(depth):
        value = Arith("+", value, Literal(1))
    return value


def test_deep_arithmetic_is_answered(table):
    table.upsert("t", [make_row(1, i64=5)])
    assert found(table, Compare("=", deep(60), Literal(65))) == [1]
    value = Field("i64")
    for _ in range(60):
        value = Arith("/", Arith("*", Literal(2), Field("i64")), value)
    assert found(table, Compare("=", value, Literal(5))) == [1]
