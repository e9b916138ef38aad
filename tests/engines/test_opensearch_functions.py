"""What functions and polygons need beside doc values: long texts, equal values, and the order of several numbers."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from engine_rebuild import rebuild
from engine_samples import keys, make_row, make_schema, make_spec

from engines.contract import RowsQuery
from engines.opensearch.engine import OpenSearchEngine
from havengate.setting_groups import EngineSettings
from havengate.types import And, AtLeast, Call, Compare, Exists, Field, InPolygon, Literal, Not
from schemas.table import FieldSpec, FieldType

LONG = "图\U0001f3cd" * 20_000
SQUARE = [0.0, 0.0, 4.0, 0.0, 4.0, 4.0, 0.0, 4.0]
BOW = [0.0, 0.0, 4.0, 4.0, 4.0, 0.0, 0.0, 4.0]
"""The square's numbers in another order: its upper and lower quarter are outside."""


@pytest.fixture
def table(opensearch_url):
    settings = EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60)
    with OpenSearchEngine.open(settings) as engine:
        engine.create_table(make_spec())
        yield engine
        engine.drop_table("t")


def found(engine, condition):
    return keys(engine.rows("t", RowsQuery(condition)))


def length(field, op, number):
    return Compare(op, Call("fieldlen", (Field(field),)), Literal(number))


def test_a_text_longer_than_a_term_has_its_whole_length(table):
    table.upsert("t", [make_row(1, s=LONG, ts=[LONG, LONG]), make_row(2, s=LONG[:-1]), make_row(3)])
    assert (found(table, length("s", "=", 40_000)), found(table, length("s", "=", 39_999))) == (["1"], ["2"])
    assert (found(table, length("ts", "=", 2)), found(table, length("s", "=", 0))) == (["1"], ["3"])
    whole = Compare("=", Call("to_string", (Field("s"),)), Literal(LONG))
    assert (found(table, whole), found(table, Not(whole))) == (["1"], ["2"])


def test_equal_values_are_counted_and_corners_keep_their_order(table):
    table.upsert("t", [make_row(1, ss=["a", "a"], fs=SQUARE), make_row(2, ss=["a"], fs=BOW), make_row(3, ss=[], fs=[])])
    assert [found(table, length("ss", "=", number)) for number in (0, 1, 2)] == [["3"], ["2"], ["1"]]
    low = InPolygon(Literal(2), Literal(0.5), Field("fs"))
    assert (found(table, low), found(table, Not(low))) == (["1"], ["2"])
    corner = InPolygon(Literal(4), Literal(4), Field("fs"), edge=True)
    assert (found(table, corner), found(table, replace(corner, edge=False))) == (["1", "2"], [])


def test_lengths_and_corners_follow_their_row(table):
    table.upsert("t", [make_row(1, s="ab", ss=["a", "a"], fs=SQUARE)])
    assert table.update_fields("t", [make_row(1, ss=["b"], fs=BOW)]) == []
    here = And((length("s", "=", 2), length("ss", "=", 1), Not(InPolygon(Literal(2), Literal(0.5), Field("fs")))))
    assert found(table, here) == ["1"]
    spec = table.table("t")
    wider = {**spec.schema.fields, "fs": FieldSpec("fs", FieldType.DOUBLE, multi_value=True)}
    rebuild(table, replace(spec, schema=replace(make_schema(), fields=wider)))
    assert found(table, here) == ["1"]


def test_a_polygon_may_have_as_many_corners_as_a_row_has_numbers(table):
    # A comb of 30,000 corners: teeth stand on whole numbers and are half as wide.
    teeth = [number for x in range(10_000) for number in (x, 0.0, x + 0.25, 1.0, x + 0.5, 0.0)]
    table.upsert("t", [make_row(1, fs=[*teeth, 10_000.0, -1.0, 0.0, -1.0], d=7_000.25), make_row(2, fs=teeth)])
    assert found(table, InPolygon(Field("d"), Literal(0.5), Field("fs"))) == ["1"]
    assert found(table, InPolygon(Field("d"), Literal(1.5), Field("fs"))) == []


def test_one_condition_that_stands_twice_counts_twice(table):
    table.upsert("t", [make_row(1, i8=1), make_row(2, i8=2), make_row(3)])
    one, here = Compare("=", Field("i8"), Literal(1)), Exists(Field("i8"))
    assert found(table, AtLeast((one, one, Exists(Field("s"))), 2)) == ["1"]
    assert found(table, AtLeast((here, here, Not(one)), 2)) == ["1", "2"]
    assert found(table, AtLeast((here, here, Not(one)), 3)) == ["2"]
