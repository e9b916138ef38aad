"""Distinct beside the same in plain Python, and what it does to total and aggregates."""

from functools import cmp_to_key

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_samples import SCHEMA, frame_of, tables

from havengate.distinct import distinct_rows
from havengate.errors import RequestError
from havengate.pool import ordered
from havengate.types import KEY, Arith, Compare, Distinct, Field, Literal, SortKey

SORTS = st.lists(
    st.builds(SortKey, st.sampled_from([Field("size"), Field("price"), Field("weight")]), st.booleans()),
    min_size=1,
    max_size=2,
    unique_by=lambda key: key.by.name,
).map(tuple)
DISTINCTS = st.builds(
    Distinct,
    key=st.sampled_from([Field("shop"), Field("size"), Field("price")]),
    count=st.integers(1, 3),
    times=st.integers(1, 3),
    reserved=st.booleans(),
    filter=st.none() | st.just(Compare("=", Field("shop"), Literal("a"))),
    grades=st.sampled_from([(), (0.0,), (0.25, 2.0)]),
)


def sorted_rows(rows, sort):
    """Missing values last, ties by key."""

    def compare(a, b):
        for key in sort:
            left, right = a.get(key.by.name), b.get(key.by.name)
            if left == right:
                continue
            if left is None or right is None:
                return 1 if left is None else -1
            return -1 if (left < right) != key.descending else 1
        return a["id"] - b["id"]

    return sorted(rows, key=cmp_to_key(compare))


def judged(rows, spec, sort):
    """Keys of the rows: grade by grade, round by round."""
    grades = {}
    for row in sorted_rows(rows, sort):
        first = row.get(sort[0].by.name)
        reached = 0 if first is None else sum(limit <= first for limit in spec.grades)
        better = -reached if sort[0].descending else reached
        grades.setdefault((first is None and spec.grades != (), better), []).append(row)
    return [row["id"] for grade in sorted(grades) for row in in_rounds(grades[grade], spec)]


def in_rounds(rows, spec):
    rounds, left = [[] for _ in range(spec.times)], []
    for row in rows:
        key = row.get(spec.key.name)
        if key is None or (spec.filter is not None and row.get("shop") == "a"):
            rounds[0].append((row, None))
            continue
        for members in rounds:
            if sum(other == key for _, other in members) < spec.count:
                members.append((row, key))
                break
        else:
            left.append((row, key))
    return [row for members in (*rounds, left if spec.reserved else []) for row, _ in members]


def found(rows, spec, sort):
    frame = ordered(frame_of(rows), sort, SCHEMA)
    return distinct_rows(frame, spec, sort[0], SCHEMA)[KEY].to_list()


@settings(deadline=None)
@given(tables(), DISTINCTS, SORTS)
def test_rounds_are_those_of_plain_python(rows, spec, sort):
    assert found(rows, spec, sort) == judged(rows, spec, sort)


@settings(deadline=None)
@given(tables(), SORTS)
def test_rows_sort_as_in_plain_python(rows, sort):
    assert ordered(frame_of(rows), sort, SCHEMA)[KEY].to_list() == [row["id"] for row in sorted_rows(rows, sort)]


def test_rows_sort_by_arithmetic_with_what_has_no_value_last():
    rows = [{"id": 1, "size": 4, "price": 2.0}, {"id": 2, "size": 9, "price": 3.0}, {"id": 3, "size": 1, "price": 0.0}]
    quotient = Arith("/", Field("size"), Field("price"))
    for descending, keys in ((True, [2, 1, 3]), (False, [1, 2, 3])):
        assert ordered(frame_of(rows), (SortKey(quotient, descending),), SCHEMA)[KEY].to_list() == keys


def test_the_key_may_be_computed():
    rows = [{"id": key, "size": key} for key in range(6)]
    parity = Distinct(Arith("&", Field("size"), Literal(1)), reserved=False)
    assert found(rows, parity, (SortKey(Field("size"), descending=True),)) == [5, 4]


def test_rows_that_match_the_filter_take_no_turn():
    rows = [{"id": key, "shop": shop, "size": 1} for key, shop in enumerate("abab")]
    spec = Distinct(Field("size"), reserved=False, filter=Compare("=", Field("shop"), Literal("a")))
    assert found(rows, spec, (SortKey(Field("price"), descending=True),)) == [0, 1, 2]


def test_what_is_left_after_the_rounds_keeps_its_order():
    rows = [{"id": key, "shop": shop} for key, shop in enumerate("aaaabbb")]
    spec = Distinct(Field("shop"), reserved=True)
    assert found(rows, spec, (SortKey(Field("price"), descending=True),)) == [0, 4, 1, 2, 3, 5, 6]


def test_grades_of_a_text_are_refused():
    with pytest.raises(RequestError):
        found([{"id": 1, "shop": "a"}], Distinct(Field("size"), grades=(1.0,)), (SortKey(Field("shop"), True),))
