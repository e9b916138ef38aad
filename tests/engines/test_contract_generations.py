"""Generations: a table rebuilt under its readers and writers, rolled back, and cleared of what it no longer needs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_rebuild import rebuild
from engine_samples import compare, keys, make_row, make_schema, make_spec, query

from engines.contract import Generation, RowsQuery
from havengate.errors import RequestError, UnknownGeneration, UnknownTable
from havengate.types import Row
from schemas.settings import TableSettings
from schemas.table import FieldSpec, FieldType, TermIndex

OLD_FIELDS = (("s", FieldType.STRING), ("n", FieldType.INT32), ("f", FieldType.FLOAT), ("gone", FieldType.STRING))
NEW_FIELDS = (("s", FieldType.TEXT), ("n", FieldType.INT64), ("f", FieldType.DOUBLE), ("more", FieldType.INT64))
OLD = make_schema(
    tuple((name, kind, False) for name, kind in OLD_FIELDS),
    indexes=(("x", 2, "SquaredEuclidean"), ("y", 3, "SquaredEuclidean")),
)
NEW = make_schema(
    tuple((name, kind, False) for name, kind in NEW_FIELDS),
    indexes=(("x", 2, "InnerProduct"), ("z", 2, "SquaredEuclidean")),
)


def of(generation, spec):
    """The specification as an engine gives it."""
    return replace(spec, generation=generation)


def old_rows(count=5):
    return [
        make_row(key, (key, 1), f"hash{key}", index="x", s=f"text {key}", n=key, f=0.1, gone="away")
        for key in range(count)
    ]


@pytest.fixture
def changed(engine):
    """Table t with five rows, and then with the specification NEW."""
    engine.create_table(make_spec(schema=OLD))
    engine.upsert("t", old_rows())
    engine.upsert("t", [Row("9", {"id": 9}, {"y_field": old_rows()[0].vectors["x_field"].repeat(2)[:3]}, {})])
    assert rebuild(engine, make_spec(schema=NEW)) == Generation("g2", 6, current=True)
    return engine


def test_rows_vectors_and_sources_come_along_and_fields_that_are_gone_do_not(changed):
    assert changed.table("t") == of("g2", make_spec(schema=NEW))
    rows = changed.fetch("t", ["3", "9"], ["x_field"])
    assert dict(rows["3"].fields) == {"id": 3, "s": "text 3", "n": 3, "f": 0.1}
    assert rows["3"].vectors["x_field"].tolist() == [3, 1]
    assert dict(rows["3"].sources) == {"x_field": "hash3"}
    assert (dict(rows["9"].fields), dict(rows["9"].sources)) == ({"id": 9}, {})
    assert changed.vectors_by_source("t", "x_field", ["hash2"])["hash2"].tolist() == [2, 1]
    stats = changed.stats("t")
    assert (stats.rows, dict(stats.vectors)) == (6, {"x": 5, "z": 0})


def test_the_new_generation_searches_by_its_own_schema(changed):
    pool = changed.pool("t", query((1, 0), index="x", n=2, columns=("n", "more")))
    assert keys(pool) == ["4", "3"]
    assert pool.frame["more"].to_list() == [None, None]
    for field, value in (("f", 0.1), ("s", "text 4")):
        matching = changed.rows("t", RowsQuery(compare(field, "=", value)))
        assert "4" in keys(matching), field
    changed.upsert("t", [Row("10", {"id": 10, "n": 2**40, "more": 1}, {}, {})])
    assert keys(changed.rows("t", RowsQuery(compare("n", ">", 2**32)))) == ["10"]
    with pytest.raises(RequestError):
        changed.rows("t", RowsQuery(compare("gone", "=", "away")))


def test_a_rolled_back_table_is_as_it_was(changed):
    changed.upsert("t", [Row("20", {"id": 20}, {}, {})])
    changed.use_generation("t", "g1")
    assert changed.table("t") == of("g1", make_spec(schema=OLD))
    assert changed.fetch("t", ["3", "20"])["3"].fields["gone"] == "away"
    assert "20" not in changed.fetch("t", ["20"])
    changed.upsert("t", [make_row(30, (0, 0), index="x", gone="here")])
    assert keys(changed.rows("t", RowsQuery(compare("gone", "=", "here")))) == ["30"]
    assert changed.generations("t") == [Generation("g1", 7, current=True), Generation("g2", 7, current=False)]
    changed.use_generation("t", "g2")
    assert "20" in changed.fetch("t", ["20", "30"])
    assert "30" not in changed.fetch("t", ["30"])
    changed.upsert("t", [Row("21", {"id": 21}, {}, {})])


def test_generations_are_listed_by_age_and_dropped_one_by_one(changed):
    changed.use_generation("t", "g1")
    assert rebuild(changed, make_spec(schema=OLD)).name == "g3"
    assert [(each.name, each.current) for each in changed.generations("t")] == [
        ("g1", False),
        ("g2", False),
        ("g3", True),
    ]
    with pytest.raises(RequestError, match="in use"):
        changed.drop_generation("t", "g3")
    changed.drop_generation("t", "g1")
    assert [each.name for each in changed.generations("t")] == ["g2", "g3"]
    with pytest.raises(UnknownGeneration, match="g2, g3"):
        changed.use_generation("t", "g1")
    with pytest.raises(UnknownGeneration):
        changed.drop_generation("t", "g1")
    assert changed.stats("t").rows == 6


def test_only_generations_that_are_there_can_be_used_or_dropped(changed):
    for generation in ("", "g0", "g02", "../g1", "g1/../g1", "*", "g*", "current", "g1,g2"):
        for call in (changed.use_generation, changed.drop_generation):
            with pytest.raises(UnknownGeneration):
                call("t", generation)
    assert len(changed.generations("t")) == 2


def test_generations_of_no_table(engine):
    engine.create_table(make_spec("there"))
    # What speaks of a table as a whole takes no address.
    for name in ("t", "there@g1"):
        for call in (
            lambda name=name: engine.generations(name),
            lambda name=name: engine.build_generation(name, make_spec()),
            lambda name=name: engine.use_generation(name, "g1"),
            lambda name=name: engine.hold(name, lambda: None),
            lambda name=name: engine.drop_generation(name, "g1"),
            lambda name=name: engine.drop_table(name),
        ):
            with pytest.raises(UnknownTable):
                call()


def test_a_dropped_table_takes_its_generations_along(changed):
    changed.build_generation("t", make_spec(schema=NEW))
    changed.drop_table("t")
    assert changed.table_names() == []
    changed.create_table(make_spec(schema=OLD))
    assert changed.generations("t") == [Generation("g1", 0, current=True)]
    for generation in ("g2", "g3"):
        with pytest.raises(UnknownGeneration):
            changed.table(f"t@{generation}")


def test_everything_is_there_after_reopening(opener, tmp_path):
    engine = opener(tmp_path / "data")
    engine.create_table(make_spec(schema=OLD))
    engine.upsert("t", old_rows())
    rebuild(engine, make_spec(schema=NEW))
    engine.upsert("t", [Row("20", {"id": 20}, {}, {})])
    engine.close()
    with opener(tmp_path / "data") as again:
        assert again.generations("t") == [Generation("g1", 5, current=False), Generation("g2", 6, current=True)]
        assert again.table("t") == of("g2", make_spec(schema=NEW))
        again.use_generation("t", "g1")
    with opener(tmp_path / "data") as again:
        assert again.table("t") == of("g1", make_spec(schema=OLD))


def test_settings_and_term_indexes_change_too(engine):
    spec = make_spec(schema=OLD)
    engine.create_table(spec)
    engine.upsert("t", old_rows())
    schema = replace(OLD, term_indexes={"n_index": TermIndex("n_index", "NUMBER", ("n",))})
    schema = replace(schema, fields={**schema.fields, "added": FieldSpec("added", FieldType.STRING, multi_value=True)})
    wanted = replace(spec, schema=schema, settings=TableSettings(strict=True))
    rebuild(engine, wanted)
    assert engine.table("t") == of("g2", wanted)
    engine.set_settings("t", TableSettings())
    assert engine.table("t").settings == TableSettings()
    assert engine.table("t@g1").settings == TableSettings()
    engine.update_fields("t", [Row("1", {"added": ["a"]}, {}, {})])
    assert keys(engine.rows("t", RowsQuery(compare("added", "=", "a")))) == ["1"]
