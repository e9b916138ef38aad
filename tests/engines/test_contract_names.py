"""Whatever a schema calls its fields, they are stored, compared, sorted and given back under these names."""

from __future__ import annotations

import pytest
from engine_samples import compare, keys, make_row, make_schema, make_spec, query

from engines.contract import RowsQuery
from havengate.types import And, Arith, Call, Compare, Contains, Exists, Field, Literal, Match, Not, SortKey
from schemas.table import FieldType

NUMBERS = ("_id", "_source", "_routing", "_index", "_score", "_doc", "_seq_no", "fields", "exact", "field__id")
TEXTS = ("_ignored", "row", "words", "_", "field", "hg")
SCHEMA = make_schema(
    [
        *((name, FieldType.INT64, False) for name in NUMBERS),
        *((name, FieldType.TEXT, False) for name in TEXTS),
        ("_field_names", FieldType.MAP, False),
        ("_size", FieldType.FLOAT, True),
        ("sources", FieldType.STRING, True),
    ]
)


def row(key):
    numbers = {name: 10 * key + place for place, name in enumerate(NUMBERS)}
    texts = {name: f"{name} of {key}" for name in TEXTS}
    rest = {"_field_names": {"_id": key, "": "x"}, "_size": [0.5, key], "sources": [str(key)]}
    return make_row(key, (key, 0), **numbers, **texts, **rest)


ROWS = [row(key) for key in range(3)]


@pytest.fixture
def table(engine):
    engine.create_table(make_spec(schema=SCHEMA))
    engine.upsert("t", ROWS)
    return engine


def test_rows_come_back_as_they_were(table):
    found = table.fetch("t", ["0", "1", "2"])
    assert [found[str(key)].fields for key in range(3)] == [row.fields for row in ROWS]
    assert table.pool("t", query((2, 0), n=1, columns=("_id", "_size"))).frame["_id"].to_list() == [20]


def test_conditions_of_every_kind_hold_for_them(table):
    held = [
        *(compare(name, "=", 20 + place) for place, name in enumerate(NUMBERS)),
        *(compare(name, "=", f"{name} of 2") for name in TEXTS),
        *(Match(Field(name), "2") for name in TEXTS),
        *(Contains(Field(name), Literal("2")) for name in TEXTS),
        compare("_field_names", "=", 2, "_id"),
        compare("_size", "=", 2),
        And((Exists(Field("_size")), Exists(Field("_field_names")), compare("sources", "=", "2"))),
        Not(compare("_id", "<", 20)),
        Compare(">", Arith("+", Field("_id"), Field("_doc")), Literal(30)),
        And((Compare(">", Call("fieldlen", (Field("_"),)), Literal(2)), compare("_index", ">", 20))),
    ]
    assert {str(node): keys(table.rows("t", RowsQuery(node))) for node in held} == {str(node): ["2"] for node in held}


@pytest.mark.parametrize("name", [*NUMBERS, *TEXTS])
def test_they_are_sorted_by(table, name):
    order = (SortKey(Field(name), descending=True),)
    assert keys(table.rows("t", RowsQuery(order=order, limit=2))) == ["2", "1"]
