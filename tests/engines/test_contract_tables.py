"""Tables: made whole, named safely, dropped wholly, the same after reopening."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_samples import full_spec, keys, make_row, make_schema, make_spec, query

from engines.contract import RowsQuery
from havengate.errors import SchemaError, TableExists, UnknownTable
from schemas.settings import TableSettings
from schemas.table import FieldType


def test_a_table_is_given_back_as_it_was_made(engine):
    engine.create_table(full_spec())
    assert engine.table("t") == replace(full_spec(), generation="g1")


def test_everything_is_there_after_reopening(opener, tmp_path):
    engine = opener(tmp_path)
    engine.create_table(full_spec("a"))
    engine.create_table(make_spec("b"))
    engine.set_settings("b", TableSettings(text="plain"))
    engine.upsert("b", [make_row(2, (0, 1), "hash", s="x", m={"k": [1, "two", 2**64 - 1]}), make_row(10, (1, 1))])
    engine.delete("b", ["10"])
    before = engine.fetch("b", ["2"], ["vector_field"])["2"]
    engine.close()
    engine = opener(tmp_path)
    assert engine.table_names() == ["a", "b"]
    assert engine.table("a") == replace(full_spec("a"), generation="g1")
    assert engine.table("b").settings == TableSettings(text="plain")
    assert keys(engine.pool("b", query((0, 0)))) == ["2"]
    after = engine.fetch("b", ["2"], ["vector_field"])["2"]
    assert (after.fields, after.sources) == (before.fields, before.sources)
    assert after.vectors["vector_field"].tolist() == before.vectors["vector_field"].tolist() == [0, 1]
    engine.close()


def test_names_come_sorted_and_go_with_their_tables(engine):
    for name in ("b", "a", "_c"):
        engine.create_table(make_spec(name))
    assert engine.table_names() == ["_c", "a", "b"]
    engine.drop_table("a")
    assert engine.table_names() == ["_c", "b"]


def test_a_name_is_taken_once(engine):
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(1)])
    with pytest.raises(TableExists, match="t"):
        engine.create_table(make_spec())
    assert engine.stats("t").rows == 1


def test_a_table_made_again_is_empty(engine):
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(1, (0, 0))])
    engine.drop_table("t")
    engine.create_table(make_spec(schema=make_schema(key=FieldType.STRING)))
    assert engine.stats("t").rows == 0
    assert engine.fetch("t", ["1"]) == {}


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../t", "a/b", "a\\b", "/t", "a b", "1a", "a.b", "a\x00", "a\n", "图", "a" * 65, "%2e", "ａ"],
)
def test_a_name_that_could_be_a_path_makes_no_table(engine, name):
    with pytest.raises(SchemaError):
        engine.create_table(make_spec(name))
    assert engine.table_names() == []


@pytest.mark.parametrize("name", ["absent", "..", "../tables/t", "t/g1", "", "\x00"])
@pytest.mark.parametrize(
    "call",
    [
        lambda engine, name: engine.drop_table(name),
        lambda engine, name: engine.table(name),
        lambda engine, name: engine.set_settings(name, TableSettings()),
        lambda engine, name: engine.upsert(name, []),
        lambda engine, name: engine.update_fields(name, []),
        lambda engine, name: engine.delete(name, []),
        lambda engine, name: engine.fetch(name, []),
        lambda engine, name: engine.vectors_by_source(name, "vector_field", []),
        lambda engine, name: engine.pool(name, query((0, 0))),
        lambda engine, name: engine.rows(name, RowsQuery()),
        lambda engine, name: engine.stats(name),
    ],
)
def test_every_call_names_the_table_that_is_not_there(engine, call, name):
    engine.create_table(make_spec())
    with pytest.raises(UnknownTable):
        call(engine, name)
    assert engine.table_names() == ["t"]


def test_stats_count_rows_and_vectors(engine):
    indexes = (("x", 2, "SquaredEuclidean"), ("y", 3, "InnerProduct"))
    engine.create_table(make_spec(schema=make_schema(indexes=indexes)))
    engine.upsert("t", [make_row(1, (0, 0), index="x"), make_row(2, (1, 2, 3), index="y"), make_row(3)])
    engine.upsert("t", [make_row(2, (1, 1), index="x")])
    stats = engine.stats("t")
    assert (stats.rows, dict(stats.vectors)) == (3, {"x": 2, "y": 0})
    assert stats.bytes > 0
