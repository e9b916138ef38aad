"""Numbers compare as numbers, not as the doubles nearest to them."""

from __future__ import annotations

import operator
from itertools import product

import numpy as np
import pytest
from engine_samples import ALL_KINDS, compare, keys, make_row, make_schema, make_spec

from engines.contract import PoolQuery, RowsQuery
from havengate.types import SCORE, Compare, Field, In, Literal, Not

OPERATORS = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
INTEGERS = [0, 2**53 - 1, 2**53, 2**53 + 1, 2**53 + 3, 2**63 - 1, 2**63, 2**64 - 1, -(2**53) - 1, -(2**63)]
REALS = [0.0, -0.0, 0.1, 2.0**53, 2.0**53 + 2, -(2.0**53), 2.0**63, 9.223372036854776e18, 2.0**64, -(2.0**63), 1e300]
BEYOND = [2**64, -(2**63) - 1, 10**400, -(10**400), float("inf"), float("-inf")]


@pytest.fixture
def tagged(engine):
    """Row k holds the k-th number under the MAP's key."""
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(key, m={"k": number}) for key, number in enumerate(INTEGERS + REALS)])
    return engine


def places(fits):
    return [str(key) for key, number in enumerate(INTEGERS + REALS) if fits(number)]


@pytest.mark.parametrize("op", OPERATORS)
def test_a_maps_numbers_compare_without_rounding(tagged, op):
    for literal in INTEGERS + REALS + BEYOND:
        expected = places(lambda number, literal=literal: OPERATORS[op](number, literal))
        assert keys(tagged.rows("t", RowsQuery(compare("m", op, literal, "k")))) == expected, (op, literal)


@pytest.mark.parametrize("literal", INTEGERS + REALS + BEYOND)
def test_a_map_holds_no_number_that_only_rounding_makes_equal(tagged, literal):
    for literals in ([literal], [literal, 0.1], [literal, "0"]):
        among = In(Field("m", "k"), tuple(map(Literal, literals)))
        assert keys(tagged.rows("t", RowsQuery(among))) == places(lambda number, literals=literals: number in literals)
        assert keys(tagged.rows("t", RowsQuery(Not(among)))) == places(
            lambda number, literals=literals: number not in literals
        )


def test_a_literal_beside_a_double_is_rounded_to_it(engine):
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(1, d=2.0**53, f=0.1)])
    for field, literal in (("d", 2**53 + 1), ("f", 0.1)):
        assert engine.rows("t", RowsQuery(compare(field, "=", literal))).matched == 1
        assert engine.rows("t", RowsQuery(In(Field(field), (Literal(literal),)))).matched == 1
        assert engine.rows("t", RowsQuery(compare(field, "<", literal))).matched == 0


@pytest.mark.parametrize("op", OPERATORS)
def test_signed_and_unsigned_fields_compare_exactly(engine, op):
    signed = [number for number in INTEGERS if number < 2**63]
    unsigned = [number for number in INTEGERS if number >= 0]
    pairs = list(product(signed, unsigned))
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(key, i64=i, u64=u) for key, (i, u) in enumerate(pairs)])
    for left, right in (("i64", "u64"), ("u64", "i64")):
        expected = [
            str(key) for key, (i, u) in enumerate(pairs) if OPERATORS[op](*((i, u) if left == "i64" else (u, i)))
        ]
        assert keys(engine.rows("t", RowsQuery(Compare(op, Field(left), Field(right))))) == expected


def test_nothing_lies_beyond_a_types_ends(engine):
    kinds = {name: kind for name, kind, several in ALL_KINDS if kind.is_integer and not several}
    engine.create_table(make_spec())
    rows = [{name: kind.bounds[end] for name, kind in kinds.items()} for end in (0, 1)]
    engine.upsert("t", [make_row(key, **fields) for key, fields in enumerate(rows)])
    for name, kind in kinds.items():
        for end, beyond, at in ((0, "<", "<="), (1, ">", ">=")):
            assert keys(engine.rows("t", RowsQuery(compare(name, beyond, kind.bounds[end])))) == []
            assert keys(engine.rows("t", RowsQuery(compare(name, at, kind.bounds[end])))) == [str(end)]


@pytest.mark.parametrize("op", OPERATORS)
def test_fields_of_integers_and_of_reals_compare_exactly(engine, op):
    signed = [number for number in INTEGERS if number < 2**63]
    pairs = list(product(signed, [*REALS, -0.1, 2.0**52 + 0.5, -(2.0**64)]))
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(key, i64=i, d=d) for key, (i, d) in enumerate(pairs)])
    for left, right in (("i64", "d"), ("d", "i64")):
        expected = [
            str(key) for key, (i, d) in enumerate(pairs) if OPERATORS[op](*((i, d) if left == "i64" else (d, i)))
        ]
        assert keys(engine.rows("t", RowsQuery(Compare(op, Field(left), Field(right))))) == expected


@pytest.mark.parametrize(("distance", "best"), [("SquaredEuclidean", 1.0), ("InnerProduct", 1023.0)])
def test_as_many_and_as_long_query_vectors_as_a_plan_may_have(engine, distance, best):
    engine.create_table(make_spec(schema=make_schema(indexes=[("vector", 1024, distance)])))
    engine.upsert("t", [make_row(1, [1] * 1024), make_row(2, [-1] * 1024)])
    many = np.full((1024, 1024), 0.25, np.float32)
    many[-1] = [1] * 1023 + [0]
    pool = engine.pool("t", PoolQuery("vector", many, 1))
    assert (keys(pool), pool.frame[SCORE].to_list()) == (["1"], [best])
