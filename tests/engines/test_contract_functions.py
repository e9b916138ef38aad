"""What functions, polygons and at-least mean, one by one."""

from __future__ import annotations

import pytest
from engine_samples import compare, keys, make_row, make_spec

from engines.contract import RowsQuery
from havengate.types import Arith, AtLeast, Call, Compare, Field, In, InPolygon, Literal, Not, Or

SQUARE = (0, 0, 4, 0, 4, 4, 0, 4)


@pytest.fixture
def table(engine):
    engine.create_table(make_spec())
    return engine


def found(engine, condition):
    return [int(key) for key in keys(engine.rows("t", RowsQuery(condition)))]


def present(operand):
    """Rows where it has a value at all."""
    literal = Literal("" if isinstance(operand, Call) and "string" in operand.name else 0)
    return Or((Compare(">=", operand, literal), Compare("<", operand, literal)))


def call(name, *args):
    return Call(name, tuple(arg if isinstance(arg, Field | Call | Arith) else Literal(arg) for arg in args))


REALS = [
    (call("pow", Field("i64"), 2), {1: 4.0, 2: 9.0, 3: 0.0}),
    (call("pow", Field("i64"), 0.5), {1: 2**0.5, 3: 0.0}),
    (call("pow", Field("i64"), -1), {1: 0.5, 2: -1 / 3}),
    (call("pow", 10, Field("d")), {1: 10.0, 2: 0.01}),
    (call("pow", Arith("+", Field("i64"), Literal(1)), call("pow", 2, 2)), {1: 81.0, 2: 16.0, 3: 1.0}),
    (call("log", 2, Field("i64")), {1: 1.0, 2: 0.0, 3: 0.0}),
    (call("log", Field("i64"), 8), {1: 3.0, 2: 0.0, 3: 0.0}),
    (call("log", 1, Field("d")), {1: 0.0, 2: 0.0, 3: 0.0}),
    (call("log", 10, Field("d")), {1: 0.0, 2: 0.0, 3: 307.954242509}),
    (call("pow", Field("d"), 2), {1: 1.0, 2: 4.0}),
    (call("distance", Field("i8"), Field("i64"), 0, 0), {1: 222.390159, 2: 333.585238}),
]


@pytest.mark.parametrize(("value", "expected"), REALS)
def test_reals(table, value, expected):
    """A power of a fraction, an infinite one and one beyond FLOAT are missing; a logarithm that is none is 0."""
    rows = [{}, {"i64": 2, "i8": 0, "d": 1.0}, {"i64": -3, "i8": 0, "d": -2.0}, {"i64": 0, "d": 9e307}]
    table.upsert("t", [make_row(key, **row) for key, row in enumerate(rows)])
    for key, number in expected.items():
        below, above = (number + sign * max(1e-6 * abs(number), 1e-9) for sign in (-1, 1))
        near = found(table, Compare(">", value, Literal(below))), found(table, Compare("<", value, Literal(above)))
        assert key in near[0], (key, number)
        assert key in near[1], (key, number)
    assert found(table, present(value)) == list(expected)


def test_a_literal_beside_a_real_is_read_in_its_precision(table):
    table.upsert("t", [make_row(1, d=0.1, i64=10)])
    tenth = call("pow", Field("i64"), -1)
    assert found(table, Compare("=", tenth, Literal(0.1))) == [1]
    assert found(table, Compare("=", tenth, Field("d"))) == []
    assert found(table, Compare("=", Arith("*", tenth, Literal(1)), Literal(0.1))) == []
    assert found(table, Compare(">", Arith("*", tenth, Literal(1)), Field("d"))) == [1]


def test_great_circles(table):
    """From pole to pole, half around, none at all, and two towns whose distance others give as about 1,068 km."""
    table.upsert("t", [make_row(1, i8=90), make_row(2, i8=0), make_row(3, d=116.4, f=39.9)])

    def between(value, low, high):
        return found(table, compare_both(value, low, high))

    def compare_both(value, low, high):
        return AtLeast((Compare(">", value, Literal(low)), Compare("<", value, Literal(high))), 2)

    assert between(call("distance", 0, Field("i8"), 0, -90), 20015.0, 20015.2) == [1]
    assert between(call("distance", Field("i8"), 0, 180, 0), 20015.0, 20015.2) == [2]
    assert found(table, Compare("=", call("distance", 7, Field("i8"), 7, 0), Literal(0))) == [2]
    assert between(call("distance", Field("d"), Field("f"), 121.5, 31.2), 1060, 1075) == [3]


def test_lengths(table):
    rows = [{}, {"s": "", "ss": [], "t": "a b"}, {"s": "é\U0001f600", "ss": [""], "is": [1, 1, 1]}]
    table.upsert("t", [make_row(key, **row) for key, row in enumerate(rows)])
    for field, expected in (("s", [0, 0, 2]), ("ss", [0, 0, 1]), ("is", [0, 0, 3]), ("t", [0, 3, 0])):
        for key, length in enumerate(expected):
            assert key in found(table, Compare("=", call("fieldlen", Field(field)), Literal(length))), (field, key)
    assert found(table, Compare("<", Arith("*", call("fieldlen", Field("is")), Literal(2)), Literal(6))) == [0, 1]


def test_texts(table):
    table.upsert("t", [make_row(1, i8=-5, u64=2**64 - 1, s="a-b_c", t="盔 头"), make_row(2)])

    def texts(value, text):
        return found(table, Compare("=", value, Literal(text)))

    assert texts(call("to_string", Field("i8")), "-5") == [1]
    assert texts(call("to_string", Field("u64")), "18446744073709551615") == [1]
    assert texts(call("to_string", Arith("+", Field("u64"), Literal(0))), "-1") == [1]
    assert texts(call("to_string", Field("s")), "a-b_c") == [1]
    assert texts(call("string_replace", Field("s"), "-_", "."), "a.b.c") == [1]
    assert texts(call("string_replace", Field("s"), ".*a", "$"), "$-b_c") == [1]
    assert texts(call("string_replace", Field("s"), "", "x"), "a-b_c") == [1]
    assert texts(call("string_replace", Field("t"), "头", "x"), "盔 x") == [1]
    assert texts(call("string_replace", call("to_string", Field("i8")), "5", "6"), "-6") == [1]
    assert found(table, Compare(">", call("to_string", Field("i8")), call("to_string", Field("u64")))) == []
    assert found(table, Compare("=", call("to_string", Field("s")), Field("s"))) == [1]
    assert found(table, Not(Compare("=", call("to_string", Field("i8")), Literal("")))) == [1]


def test_a_key_of_a_map_is_among_texts_and_numbers_alike(table):
    held = [{"k": "7"}, {"k": 7}, {"k": [1, "7"]}, {"k": 8}, {"other": 7}]
    table.upsert("t", [make_row(key, m=value) for key, value in enumerate(held)])
    either = In(Field("m", "k"), (Literal("7"), Literal(7)))
    assert (found(table, either), found(table, Not(either))) == ([0, 1, 2], [3])
    assert found(table, In(Field("m", "k"), (Literal("7"),))) == [0, 2]


def test_at_least_counts_what_is_true(table):
    table.upsert("t", [make_row(1, i8=1, s="a"), make_row(2, i8=1), make_row(3, i8=2), make_row(4)])
    items = (compare("i8", "=", 1), compare("s", "=", "a"), Not(compare("i8", "=", 2)))
    for count, expected in ((0, [1, 2, 3, 4]), (1, [1, 2]), (2, [1, 2]), (3, [1]), (4, [])):
        assert found(table, AtLeast(items, count)) == expected, count
        assert found(table, Not(AtLeast(items, count))) == [key for key in (1, 2, 3, 4) if key not in expected], count


def place(x, y, polygon=SQUARE, *, edge=False):
    return InPolygon(x, y, tuple(map(Literal, polygon)), edge)


@pytest.mark.parametrize(
    ("x", "y", "inside", "edge"),
    [
        (2, 2, True, False),
        (5, 2, False, False),
        (-1, 0, False, False),
        (5, 4, False, False),
        (0, 0, False, True),
        (4, 4, False, True),
        (4, 2, False, True),
        (2, 0, False, True),
        (2, 4, False, True),
    ],
)
def test_points_inside_outside_and_on_the_edge(table, x, y, inside, edge):
    """The same of a polygon that is given and of one that a field holds, in either direction and closed."""
    table.upsert("t", [make_row(1, i8=x, f=float(y), **{"is": list(SQUARE)})])
    backwards = [number for corner in range(3, -1, -1) for number in SQUARE[2 * corner : 2 * corner + 2]]
    for polygon in (SQUARE, backwards, [*SQUARE, 0, 0], [0, 0, *SQUARE], [0.0, 0, 2, 0, 4, 0, 4, 4, 0, 4]):
        table.upsert("t", [make_row(1, i8=x, f=float(y), fs=list(map(float, polygon)), u64=abs(y))])
        for counted in (False, True):
            expected = [1] if inside or (edge and counted) else []
            assert found(table, place(Field("i8"), Field("f"), polygon, edge=counted)) == expected
            assert found(table, InPolygon(Field("i8"), Field("f"), Field("fs"), counted)) == expected
            assert found(table, InPolygon(Literal(x), Literal(y), Field("fs"), counted)) == expected
            assert (
                found(table, InPolygon(Literal(x), Arith("*", Field("f"), Literal(1)), Field("fs"), counted))
                == expected
            )


def test_a_dent_and_a_crossing(table):
    dented, crossed = (0, 0, 4, 0, 4, 4, 2, 1, 0, 4), (0, 0, 4, 4, 4, 0, 0, 4)
    table.upsert(
        "t", [make_row(1, i8=2, i64=2), make_row(2, i8=1, i64=1), make_row(3, i8=3, i64=2), make_row(4, i8=2, i64=0)]
    )
    assert found(table, place(Field("i8"), Field("i64"), dented)) == [2, 3]
    assert found(table, place(Field("i8"), Field("i64"), crossed)) == [3]
    assert found(table, place(Field("i8"), Field("i64"), crossed, edge=True)) == [1, 2, 3]


def test_what_is_no_polygon_holds_nothing_and_a_missing_one_is_missing(table):
    polygons = [list(SQUARE), [0, 0, 4, 0], [0, 0, 4, 0, 4, 4, 9], [], None, list(SQUARE), [1, 1, 3, 1, 3, 3]]
    rows = [{"i8": 1, **({} if polygon is None else {"is": polygon})} for polygon in polygons]
    rows[5].pop("i8")
    table.upsert("t", [make_row(key, **row) for key, row in enumerate(rows)])
    inside = InPolygon(Field("i8"), Literal(1), Field("is"))
    assert (found(table, inside), found(table, Not(inside))) == ([0], [1, 2, 6])
    assert found(table, InPolygon(Field("i8"), Literal(1), Field("is"), edge=True)) == [0, 6]
    assert found(table, Not(place(Field("i8"), Field("d")))) == []
