"""Writes: whole rows, merged fields, deletions; visible at once, refused wholly."""

from __future__ import annotations

import numpy as np
import pytest
from engine_samples import compare, keys, make_row, make_schema, make_spec, query, vector

from engines.contract import RowsQuery
from havengate.errors import RequestError
from havengate.types import SCORE, Row
from schemas.table import FieldType

ODD_KEYS = [
    "",
    "'",
    '"; DROP TABLE rows; --',
    "a\x00b",
    "\\",
    "%",
    "图 片",
    "é",
    "e\u0301",
    "\U0001f600",
    "\uffff",
    " ",
]


@pytest.fixture
def table(engine):
    engine.create_table(make_spec())
    return engine


def test_a_replaced_row_keeps_nothing_of_the_old(table):
    table.upsert("t", [make_row(1, (1, 1), "old", s="x", i64=5)])
    table.upsert("t", [make_row(1, s="y")])
    row = table.fetch("t", ["1"], ["vector_field"])["1"]
    assert row == Row("1", {"id": 1, "s": "y"})
    assert table.pool("t", query((0, 0))).matched == 0
    assert table.vectors_by_source("t", "vector_field", ["old"]) == {}
    assert keys(table.rows("t", RowsQuery(compare("s", "=", "x")))) == []


def test_of_two_rows_with_one_key_the_later_wins(table):
    table.upsert("t", [make_row(1, (1, 1), s="first"), make_row(1, s="second")])
    assert table.fetch("t", ["1"], ["vector_field"])["1"] == Row("1", {"id": 1, "s": "second"})
    assert table.stats("t").rows == 1


def test_an_update_merges_fields_vectors_and_sources(table):
    table.upsert("t", [make_row(1, (1, 2), "a", s="x", i64=5)])
    patches = [Row("9", {"s": "no"}), Row("1", {"s": "y", "i8": 3}), Row("8", {}), Row("1", {"i8": 4}), Row("9", {})]
    assert table.update_fields("t", patches) == ["9", "8"]
    row = table.fetch("t", ["1"], ["vector_field"])["1"]
    assert row.fields == {"id": 1, "s": "y", "i64": 5, "i8": 4}
    assert (row.vectors["vector_field"].tolist(), row.sources) == ([1, 2], {"vector_field": "a"})
    assert table.pool("t", query((1, 2), filter=compare("i8", "=", 4))).frame[SCORE].to_list() == [0.0]


def test_a_new_vector_without_a_source_forgets_the_old_source(table):
    table.upsert("t", [make_row(1, (1, 2), "a")])
    table.update_fields("t", [make_row(1, (3, 4))])
    row = table.fetch("t", ["1"], ["vector_field"])["1"]
    assert (row.vectors["vector_field"].tolist(), dict(row.sources)) == ([3, 4], {})
    assert table.vectors_by_source("t", "vector_field", ["a"]) == {}
    assert table.pool("t", query((3, 4))).frame[SCORE].to_list() == [0.0]


def test_of_two_updates_in_one_call_the_later_source_counts(table):
    table.upsert("t", [make_row(1, (0, 0))])
    table.update_fields("t", [make_row(1, (1, 2), "a"), make_row(1, (3, 4))])
    assert table.vectors_by_source("t", "vector_field", ["a"]) == {}
    table.update_fields("t", [make_row(1, (5, 6), "b"), Row("1", {"s": "x"})])
    assert table.vectors_by_source("t", "vector_field", ["b"])["b"].tolist() == [5, 6]


def test_deleting_counts_the_rows_that_were_there(table):
    table.upsert("t", [make_row(key, (key, 0), "h") for key in (1, 2, 3)])
    assert table.delete("t", ["3", "9", "1", "3"]) == 2
    assert table.delete("t", ["3", "1"]) == 0
    assert keys(table.rows("t", RowsQuery())) == ["2"]
    assert keys(table.pool("t", query((0, 0)))) == ["2"]
    assert list(table.fetch("t", ["1", "2"])) == ["2"]


def test_fetch_answers_in_the_order_asked_with_the_vectors_asked(table):
    table.upsert("t", [make_row(key, (key, 0.1), f"h{key}") for key in range(1200)])
    asked = [str(key) for key in (*range(1199, -1, -1), 5000)]
    rows = table.fetch("t", asked)
    assert list(rows) == asked[:-1]
    assert all(not row.vectors and row.sources == {"vector_field": f"h{row.pk}"} for row in rows.values())
    found = table.fetch("t", ["7"], ["vector_field"])["7"].vectors["vector_field"]
    assert found.dtype == np.float32
    assert found.tolist() == vector(7, 0.1).tolist()


def test_vectors_are_found_by_what_they_were_made_from(table):
    table.upsert("t", [make_row(key, (key % 3, 1), f"h{key % 3}") for key in range(9)])
    found = table.vectors_by_source("t", "vector_field", ["h2", "none", "h0", *(f"x{i}" for i in range(1000))])
    assert {source: held.tolist() for source, held in found.items()} == {"h2": [2, 1], "h0": [0, 1]}


def test_values_come_back_exactly(table):
    fields = {
        "i64": -(2**63),
        "u64": 2**64 - 1,
        "f": 0.1,
        "d": 1e-310,
        "s": "\x00é\u2028图\U0001f600'\"\\",
        "us": [2**63, 2**64 - 1],
        "fs": [],
        "m": {"": [], "a'b": [1, 1.0, "1", 2**64 - 1]},
    }
    table.upsert("t", [make_row(2**63 - 1, **fields)])
    assert table.fetch("t", [str(2**63 - 1)])[str(2**63 - 1)].fields == {"id": 2**63 - 1, **fields}
    assert keys(table.rows("t", RowsQuery(compare("u64", "=", 2**64 - 1)))) == [str(2**63 - 1)]
    assert keys(table.rows("t", RowsQuery(compare("u64", "=", 2**64 - 2)))) == []


def test_any_text_is_a_key_and_keys_order_by_code_point(engine):
    engine.create_table(make_spec(schema=make_schema(key=FieldType.STRING)))
    engine.upsert("t", [make_row(key, (1, 0), s=key) for key in ODD_KEYS])
    assert keys(engine.rows("t", RowsQuery())) == sorted(ODD_KEYS)
    assert keys(engine.pool("t", query((0, 0), n=100))) == sorted(ODD_KEYS)
    assert {key: row.fields["s"] for key, row in engine.fetch("t", ODD_KEYS).items()} == {key: key for key in ODD_KEYS}
    for key in ODD_KEYS:
        assert keys(engine.rows("t", RowsQuery(compare("s", "=", key)))) == [key]
    assert engine.delete("t", ODD_KEYS) == len(ODD_KEYS)


@pytest.mark.parametrize(
    "row",
    [
        Row("01", {"id": 1}),
        Row("1", {"id": "1"}),
        Row("1", {"id": 2}),
        Row("1", {}),
        Row("x", {"id": "x"}),
        Row(str(2**63), {"id": 2**63}),
        make_row(1, i8=128),
        make_row(1, i8=1.0),
        make_row(1, i8=True),
        make_row(1, i8="1"),
        make_row(1, i8=[1]),
        make_row(1, s=1),
        make_row(1, s="\ud800"),
        make_row(1, s=None),
        make_row(1, d=float("nan")),
        make_row(1, d=10**400),
        make_row(1, f=1e39),
        make_row(1, us=3),
        make_row(1, us=[-1]),
        make_row(1, m=[1]),
        make_row(1, m={"k": float("inf")}),
        make_row(1, m={"k": [None]}),
        make_row(1, m={"k": 2**64}),
        make_row(1, unknown=1),
        make_row(1, vector_field=[1.0, 2.0]),
        make_row(1, (1, 2, 3)),
        make_row(1, (1, float("nan"))),
        make_row(1, (1, float("inf"))),
        make_row(1, (1, 2), index="other"),
        Row("1", {"id": 1}, {"vector_field": np.zeros(2)}),
        Row("1", {"id": 1}, {}, {"vector_field": "source without vector"}),
    ],
    ids=str,
)
def test_a_wrong_row_is_refused_with_all_of_its_call(table, row):
    table.upsert("t", [make_row(7, (0, 0), s="stays")])
    for write in (table.upsert, table.update_fields):
        with pytest.raises(RequestError):
            write("t", [make_row(7, s="changed"), row])
        if write == table.upsert and row == Row("1", {}):
            break  # a patch need not repeat the key
    assert table.fetch("t", ["7"])["7"].fields == {"id": 7, "s": "stays"}
    assert table.stats("t").rows == 1


def test_many_rewrites_leave_the_same_answers(table):
    for version in range(8):
        table.upsert("t", [make_row(key, (key, version), i64=version) for key in range(700)])
    table.delete("t", [str(key) for key in range(0, 700, 2)])
    pool = table.pool("t", query((0, 7), n=3))
    assert (keys(pool), pool.frame[SCORE].to_list(), pool.matched) == (["1", "3", "5"], [1, 9, 25], 350)
    assert table.rows("t", RowsQuery(compare("i64", "=", 7))).matched == 350
    assert table.update_fields("t", [Row("0", {}), Row("1", {"i64": 1})]) == ["0"]
    assert keys(table.rows("t", RowsQuery(compare("i64", "=", 1)))) == ["1"]
