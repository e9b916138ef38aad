"""Aggregates beside the same in plain Python over random rows."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_samples import SCHEMA, frame_of, tables

from havengate.aggregate import aggregate
from havengate.errors import RequestError
from havengate.types import Aggregate, AggregateFunction, Arith, Compare, Field, Group, Literal

KEYS = st.sampled_from(
    [*map(Field, ("shop", "size", "price", "labels", "sizes")), Arith("&", Field("size"), Literal(1))]
)
VALUES = st.sampled_from([*map(Field, ("size", "stock", "price", "weight"))])
FUNCTIONS = st.one_of(
    st.just(AggregateFunction("count")),
    st.builds(AggregateFunction, st.just("sum"), VALUES),
    st.builds(
        AggregateFunction,
        st.sampled_from(["max", "min", "distinct_count"]),
        VALUES | st.sampled_from([Field("shop"), Arith("*", Field("weight"), Literal(0.5))]),
    ),
    st.builds(AggregateFunction, st.just("distinct_count"), st.sampled_from([*map(Field, ("labels", "sizes"))])),
)
AGGREGATES = st.builds(
    Aggregate,
    keys=st.lists(KEYS, min_size=1, max_size=3).map(tuple),
    functions=st.lists(FUNCTIONS, min_size=1, max_size=3).map(tuple),
    filter=st.none() | st.just(Compare(">", Field("size"), Literal(0))),
    max_group=st.sampled_from([1, 2, 1000]),
)


def value_of(operand, row):
    match operand:
        case Field(name):
            return row.get(name)
        case Literal(value):
            return value
        case Arith(op, left, right):
            a, b = value_of(left, row), value_of(right, row)
            return None if a is None else {"&": lambda: a & b, "*": lambda: a * b}[op]()


def judged(rows, spec):
    """The groups, and how many there are."""
    if spec.filter is not None:
        rows = [row for row in rows if row.get("size", 0) > 0]
    members = {}
    for row in rows:
        held = [value_of(key, row) for key in spec.keys]
        choices = [[] if one is None else set(one) if isinstance(one, list) else [one] for one in held]
        if spec.ranges and choices[0]:
            choices = [{sum(limit <= value for limit in spec.ranges) for value in choices[0]}]
        for keys in product(*choices):
            members.setdefault(keys, []).append(row)
    order = sorted(members, key=lambda keys: (-len(members[keys]), keys))
    shown = order[: spec.max_group]
    groups = [(keys, tuple(computed(one, members[keys]) for one in spec.functions)) for keys in shown]
    return groups, len(order)


def computed(function, rows):
    if function.name == "count":
        return len(rows)
    values = [value for row in rows if (value := value_of(function.value, row)) is not None]
    match function.name:
        case "distinct_count":
            return len({one for value in values for one in (value if isinstance(value, list) else [value])})
        case "sum":
            exact = sum(map(Fraction, values))
            return None if not values else exact if isinstance(values[0], int) else float(exact)
        case name:
            return {"max": max, "min": min}[name](values, default=None)


@settings(deadline=None)
@given(tables(), AGGREGATES)
def test_groups_and_values_are_those_of_plain_python(rows, spec):
    found = aggregate(frame_of(rows), spec, SCHEMA)
    groups, total = judged(rows, spec)
    assert [(group.keys, group.values) for group in found.groups] == groups
    assert found.total == total
    assert all(type(one) in (str, int, float, type(None)) for g in found.groups for one in (*g.keys, *g.values))


@settings(deadline=None)
@given(
    tables(),
    st.sampled_from([((0, 2), "size"), ((-2, 0, 2**53 + 1), "size"), ((0.25, 1.5), "price"), ((-1, 0.5), "sizes")]),
)
def test_ranges_are_half_open_and_the_first_and_last_have_no_end(rows, case):
    ranges, name = case
    spec = Aggregate((Field(name),), (AggregateFunction("count"), AggregateFunction("sum", Field("weight"))), ranges)
    found = aggregate(frame_of(rows), spec, SCHEMA)
    names = [f"{low}~{high}" for low, high in zip(("", *ranges), (*ranges, ""), strict=True)]
    groups, total = judged(rows, spec)
    assert [(group.keys, group.values) for group in found.groups] == [((names[k],), values) for (k,), values in groups]
    assert found.total == total


@settings(deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_show(rows, random):
    spec = Aggregate(
        (Field("labels"),), tuple(AggregateFunction(name, Field("weight")) for name in ("sum", "max", "min"))
    )
    once = aggregate(frame_of(rows), spec, SCHEMA)
    random.shuffle(rows)
    assert repr(aggregate(frame_of(rows), spec, SCHEMA)) == repr(once)


def test_sums_of_integers_do_not_wrap():
    rows = [{"id": key, "shop": "a", "stock": 2**64 - 1, "size": -(2**63)} for key in range(1000)]
    spec = Aggregate((Field("shop"),), tuple(AggregateFunction("sum", Field(name)) for name in ("stock", "size")))
    assert aggregate(frame_of(rows), spec, SCHEMA).groups == (Group(("a",), (1000 * (2**64 - 1), -1000 * 2**63)),)


@pytest.mark.parametrize("field", ["size", "price"])
def test_a_group_without_values_has_no_sum(field):
    spec = Aggregate((Field("shop"),), tuple(AggregateFunction(name, Field(field)) for name in ("sum", "max", "min")))
    rows = [{"id": 1, "shop": "a", field: 0}, {"id": 2, "shop": "b"}]
    groups = aggregate(frame_of(rows), spec, SCHEMA).groups
    assert groups == (Group(("a",), (0, 0, 0)), Group(("b",), (None, None, None)))


def test_a_limit_is_read_in_the_precision_of_its_field():
    rows = [{"id": 1, "price": 0.7}, {"id": 2, "weight": 0.7}]
    for name in ("price", "weight"):
        spec = Aggregate((Field(name),), (AggregateFunction("count"),), ranges=(0.5, 0.7))
        assert aggregate(frame_of(rows), spec, SCHEMA).groups == (Group(("0.7~",), (1,)),)


@pytest.mark.parametrize(
    ("function", "rows"),
    [
        (AggregateFunction("sum", Field("shop")), [{"id": 1, "size": 1, "shop": "a"}]),
        (AggregateFunction("sum", Field("weight")), [{"id": key, "size": 1, "weight": 1.7e308} for key in (1, 2)]),
    ],
)
def test_what_has_no_sum_is_refused(function, rows):
    with pytest.raises(RequestError, match="sum"):
        aggregate(frame_of(rows), Aggregate((Field("size"),), (function,)), SCHEMA)


def test_equal_zeros_have_one_form():
    rows = [{"id": 1, "size": 1, "weight": -0.0}]
    spec = Aggregate((Field("size"),), tuple(AggregateFunction(name, Field("weight")) for name in ("sum", "max")))
    assert repr(aggregate(frame_of(rows), spec, SCHEMA).groups[0].values) == "(0.0, 0.0)"


def test_values_under_several_keys_are_counted_before_they_multiply():
    frame = frame_of([{"labels": [str(place) for place in range(200)], "sizes": list(range(100))}])
    several = (Field("labels"), Field("sizes"))
    count = (AggregateFunction("count"),)
    assert aggregate(frame, Aggregate(several, count), SCHEMA).total == 20_000
    with pytest.raises(RequestError, match="make 400000000 combinations, the most is 5000000"):
        aggregate(frame, Aggregate(several * 2, count), SCHEMA)
