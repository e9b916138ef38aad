"""Rows without a vector term: their order, their limit, the most of them; marks beside their columns."""

from __future__ import annotations

import uuid

import polars as pl
import pytest
from engine_expressions import conditions, stored
from engine_reference import Reference
from engine_samples import ALL_KINDS, compare, keys, make_row, make_schema, make_spec, query
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.contract import RowsQuery
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import FIELDS, KEY, MARK, PK, SCORE, Arith, Exists, Field, Literal, Match, Not, SortKey
from schemas.table import FieldType

SORTED = [name for name, kind, several in ALL_KINDS if not several and kind is not FieldType.MAP]


def key(field, descending=False):
    return SortKey(Field(field), descending)


@pytest.fixture
def table(engine):
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(number, (number, 0), i64=number % 3, s=f"s{number % 2}") for number in range(9)])
    engine.upsert("t", [make_row(20, (20, 0)), make_row(-1, (9, 9), i64=1, t="red 头盔")])
    return engine


def test_rows_follow_their_keys_missing_values_last_and_ties_by_primary_key(table):
    def ordered(*order, **rest):
        return [int(pk) for pk in keys(table.rows("t", RowsQuery(order=order, **rest)))]

    assert ordered() == [-1, *range(9), 20]
    assert ordered(key("i64")) == [0, 3, 6, -1, 1, 4, 7, 2, 5, 8, 20]
    assert ordered(key("i64", descending=True)) == [2, 5, 8, -1, 1, 4, 7, 0, 3, 6, 20]
    assert ordered(key("s", descending=True), key("i64")) == [3, 1, 7, 5, 0, 6, 4, 2, 8, -1, 20]
    assert ordered(key("id", descending=True), limit=3) == [20, 8, 7]
    assert ordered(key("i64"), key("i64", descending=True), limit=4) == [0, 3, 6, -1]


def test_zeros_of_either_sign_tie(engine):
    engine.create_table(make_spec())
    for field in ("f", "d"):
        engine.upsert("t", [make_row(row, **{field: number}) for row, number in enumerate([0.0, -0.0, 0.0, -1.0])])
        assert keys(engine.rows("t", RowsQuery(order=(key(field),)))) == ["3", "0", "1", "2"]
        assert keys(engine.rows("t", RowsQuery(order=(key(field, descending=True),)))) == ["0", "1", "2", "3"]


def test_extreme_numbers_come_before_missing_ones(engine):
    engine.create_table(make_spec())
    for field, numbers in (("i64", [2**63 - 1, -(2**63)]), ("u64", [2**64 - 1, 0]), ("i8", [127, -128])):
        engine.upsert("t", [make_row(1), *(make_row(row, **{field: number}) for row, number in enumerate(numbers, 2))])
        assert keys(engine.rows("t", RowsQuery(order=(key(field),)))) == ["3", "2", "1"]
        assert keys(engine.rows("t", RowsQuery(order=(key(field, descending=True),)))) == ["2", "3", "1"]


def test_a_limit_cuts_the_rows_but_not_their_count(table):
    for limit, expected in ((0, []), (2, [-1, 0]), (11, [-1, *range(9), 20]), (100, [-1, *range(9), 20])):
        answer = table.rows("t", RowsQuery(limit=limit))
        assert ([int(pk) for pk in keys(answer)], answer.matched) == (expected, 11)
    answer = table.rows("t", RowsQuery(compare("i64", "=", 1), order=(key("id", descending=True),), limit=1))
    assert (keys(answer), answer.matched) == (["7"], 4)


def test_more_than_the_most_are_refused_unless_a_limit_cuts_them(table):
    assert table.rows("t", RowsQuery(most=11)).frame.height == 11
    with pytest.raises(RequestError) as caught:
        table.rows("t", RowsQuery(most=10))
    assert caught.value.code == HaCode.OVER_RETURN_HITS_LIMIT
    assert "11" in caught.value.message
    assert "10" in caught.value.message
    assert table.rows("t", RowsQuery(most=10, limit=2)).matched == 11
    assert table.rows("t", RowsQuery(compare("i64", "=", 1), most=4)).matched == 4


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (RowsQuery(order=(key("absent"),)), HaCode.ATTRIBUTE_NOT_EXIST),
        (RowsQuery(order=(key("m"),)), HaCode.ATTRIBUTE_NOT_EXIST),
        (RowsQuery(order=(key("is"),)), HaCode.EXPRESSION_WITH_MULTI_VALUE),
        (RowsQuery(order=(SortKey(Field("m", "k"), descending=False),)), HaCode.EXPRESSION_RESULT_UNKNOWN_TYPE),
        (RowsQuery(order=(SortKey(None, descending=True),)), HaCode.SORT_NO_DESCRIPTION),
        (
            RowsQuery(order=(SortKey(Arith("+", Field("i64"), Literal(1)), descending=True),)),
            HaCode.SORT_NO_DESCRIPTION,
        ),
        (RowsQuery(columns=("absent",)), HaCode.ATTRIBUTE_NOT_EXIST),
        (RowsQuery(limit=-1), HaCode.QUERY_INVALID),
    ],
)
def test_a_wrong_order_is_refused(table, wrong, code):
    with pytest.raises(RequestError) as caught:
        table.rows("t", wrong)
    assert caught.value.code == code


def test_marks_stand_behind_the_columns_and_need_none_of_them(table):
    marks = (compare("i64", "=", 1), Not(Exists(Field("s"))), Match(Field("t"), "头盔"))
    rows = table.rows("t", RowsQuery(compare("i64", "=", 1), columns=("s",), marks=marks, limit=2))
    assert rows.frame.columns == [PK, KEY, FIELDS, "s", f"{MARK}0", f"{MARK}1", f"{MARK}2"]
    assert rows.frame.drop(PK, KEY, FIELDS).rows() == [(None, True, True, True), ("s1", True, False, False)]
    pool = table.pool("t", query((0, 0), n=2, columns=("i64",), marks=marks))
    assert pool.frame.columns == [PK, KEY, SCORE, FIELDS, "i64", f"{MARK}0", f"{MARK}1", f"{MARK}2"]
    assert pool.frame.drop(PK, KEY, SCORE, FIELDS).rows() == [(0, False, False, False), (1, True, False, False)]


def test_marks_of_no_rows_are_boolean_columns(engine):
    engine.create_table(make_spec())
    marks = (compare("i64", "=", 1), Match(Field("t"), "?"))
    for answer in (
        engine.rows("t", RowsQuery(marks=marks)),
        engine.pool("t", query((0, 0), marks=marks)),
    ):
        assert answer.frame.select(f"{MARK}0", f"{MARK}1").schema == {f"{MARK}0": pl.Boolean, f"{MARK}1": pl.Boolean}
        assert answer.frame.height == 0


@pytest.mark.parametrize("mode", ["pre", "post"])
def test_marks_of_a_cut_pool_are_those_of_its_rows(table, mode):
    wanted = query(
        (0, 0), n=4, score_threshold=8.5, filter=compare("i64", ">", 0), filter_mode=mode,
        marks=(compare("i64", "=", 2), compare("id", "<", 2)),
    )  # fmt: skip
    frame = table.pool("t", wanted).frame
    assert frame.select(PK, f"{MARK}0", f"{MARK}1").rows() == [("1", False, True), ("2", True, False)]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_pages_of_rows_are_the_references(engine, data):
    schema, name = make_schema(), f"t{uuid.uuid4().hex}"
    engine.create_table(make_spec(name, schema))
    reference = Reference(schema)
    order = tuple(
        key(name, data.draw(st.booleans())) for name in data.draw(st.lists(st.sampled_from(SORTED), max_size=3))
    )
    for number in range(data.draw(st.integers(0, 12))):
        held = {part.by.name: data.draw(st.none() | stored(schema.fields[part.by.name].type)) for part in order}
        reference.upsert([make_row(number, **{field: value for field, value in held.items() if value is not None})])
    engine.upsert(name, list(reference.rows.values()))
    for limit in (None, data.draw(st.integers(0, 8))):
        page = RowsQuery(data.draw(st.none() | conditions(schema)), order=order, limit=limit)
        answer = engine.rows(name, page)
        assert (keys(answer), answer.matched) == reference.ordered(page)
    engine.drop_table(name)
