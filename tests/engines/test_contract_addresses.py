"""Addresses: a generation that is built or kept is read and written by its own name, and searches do not see it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_rebuild import rebuild
from engine_samples import CHANGED, compare, keys, make_row, make_spec, query

from engines.contract import Generation, RowsQuery
from havengate.errors import Busy, Moved, UnknownGeneration, UnknownTable
from havengate.types import Row
from schemas.settings import TableSettings


def rows(*pks, **fields):
    return [make_row(pk, (pk, 0), f"hash{pk}", s=f"text {pk}", **fields) for pk in pks]


@pytest.fixture
def building(engine):
    """Table t with rows 0 to 4, and beside it an empty g2 of another schema."""
    engine.create_table(make_spec())
    engine.upsert("t", rows(*range(5)))
    assert engine.build_generation("t", make_spec(schema=CHANGED)) == "g2"
    return engine


def test_a_generation_is_built_beside_and_seen_only_by_its_address(building):
    assert building.generations("t") == [
        Generation("g1", 5, current=True),
        Generation("g2", 0, current=False, building=True),
    ]
    building.upsert("t@g2", rows(7, 8, more=1))
    building.update_fields("t@g2", [Row("8", {"more": 2})])
    assert building.delete("t@g2", ["7", "0"]) == 1
    assert keys(building.pool("t", query((0, 0)))) == ["0", "1", "2", "3", "4"]
    assert keys(building.pool("t@g1", query((0, 0)))) == ["0", "1", "2", "3", "4"]
    assert keys(building.pool("t@g2", query((0, 0)))) == ["8"]
    assert keys(building.rows("t@g2", RowsQuery(compare("more", "=", 2)))) == ["8"]
    assert building.fetch("t@g2", ["0", "8"], ["vector_field"])["8"].vectors["vector_field"].tolist() == [8, 0]
    assert set(building.vectors_by_source("t@g2", "vector_field", ["hash8", "hash0"])) == {"hash8"}
    assert set(building.vectors_by_source("t", "vector_field", ["hash8", "hash0"])) == {"hash0"}
    assert (building.stats("t").rows, building.stats("t@g2").rows) == (5, 1)
    assert building.explain("t@g2", query((0, 0)))
    assert building.table_names() == ["t"]


def test_specifications_say_whose_they_are(building):
    assert building.table("t") == replace(make_spec(), generation="g1")
    assert building.table("t@g1") == replace(make_spec(), name="t@g1", generation="g1")
    other = building.table("t@g2")
    assert other == replace(make_spec(schema=CHANGED), name="t@g2", generation="g2")
    assert (other.table, other.expects, building.table("t").expects) == ("t", None, "g1")


def test_settings_of_one_generation_are_its_own(building):
    building.set_settings("t@g2", TableSettings(strict=True))
    assert building.table("t").settings == TableSettings()
    assert building.table("t@g2").settings == TableSettings(strict=True)


def test_only_one_generation_is_built_at_a_time(building):
    with pytest.raises(Busy, match="g2"):
        building.build_generation("t", make_spec())
    building.drop_generation("t", "g2")
    assert building.generations("t") == [Generation("g1", 5, current=True)]
    with pytest.raises(UnknownGeneration):
        building.fetch("t@g2", ["1"])
    building.build_generation("t", make_spec())


def test_a_generation_that_is_used_is_no_longer_being_built(building):
    building.upsert("t@g2", rows(8))
    building.use_generation("t", "g2")
    assert building.generations("t") == [Generation("g1", 5, current=False), Generation("g2", 1, current=True)]
    assert keys(building.pool("t", query((0, 0)))) == ["8"]
    assert keys(building.pool("t@g1", query((0, 0), n=1))) == ["0"]
    building.upsert("t@g1", rows(9))
    assert set(building.fetch("t@g1", ["8", "9"])) == {"9"}
    assert building.build_generation("t", make_spec()) == "g3"


def test_a_building_generation_survives_reopening(opener, tmp_path):
    with opener(tmp_path / "data") as engine:
        engine.create_table(make_spec())
        engine.build_generation("t", make_spec(schema=CHANGED))
        engine.upsert("t@g2", rows(1, 2))
        mark = engine.mark("t@g2")
        engine.upsert("t@g2", rows(3))
    with opener(tmp_path / "data") as again:
        assert again.generations("t")[1] == Generation("g2", 3, current=False, building=True)
        assert "3" in again.touched("t@g2", mark)
        with pytest.raises(Busy):
            again.build_generation("t", make_spec())
        again.upsert("t@g2", rows(4))
        again.use_generation("t", "g2")
        assert keys(again.pool("t", query((0, 0)))) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("address", ["t@g2", "t@", "t@g1@g1", "t@../g1", "t@*"])
def test_addresses_of_nothing(engine, address):
    engine.create_table(make_spec())
    engine.upsert("t", rows(1))
    for call in (
        lambda: engine.table(address),
        lambda: engine.fetch(address, ["1"]),
        lambda: engine.scan(address, None, 1),
        lambda: engine.upsert(address, rows(2)),
        lambda: engine.delete(address, ["1"]),
        lambda: engine.pool(address, query((0, 0))),
    ):
        with pytest.raises(UnknownGeneration):
            call()
    with pytest.raises(UnknownTable):
        engine.table("none@g1")
    assert keys(engine.pool("t", query((0, 0)))) == ["1"]


def test_what_was_meant_for_a_generation_that_is_left_is_refused_and_leaves_nothing(building):
    was = building.table("t").expects
    building.upsert("t", rows(5), generation=was)
    building.update_fields("t", [Row("5", {"s": "updated"})], generation=was)
    assert keys(building.pool("t", query((5, 0), n=1, generation=was))) == ["5"]
    assert building.rows("t", RowsQuery(generation=was)).matched == 6
    building.upsert("t@g2", rows(5))
    building.use_generation("t", "g2")
    for call in (
        lambda: building.upsert("t", rows(6), generation=was),
        lambda: building.update_fields("t", [Row("5", {"s": "lost"})], generation=was),
        lambda: building.pool("t", query((5, 0), generation=was)),
        lambda: building.rows("t", RowsQuery(generation=was)),
    ):
        with pytest.raises(Moved):
            call()
    assert building.fetch("t", ["5", "6"])["5"].fields["s"] == "text 5"
    assert set(building.fetch("t@g1", ["5", "6"])) == {"5"}
    building.upsert("t", rows(6), generation="g2")


def test_scan_goes_on_from_the_last_key(engine):
    pks = ["0", "10", "9", "a b", "b", "Ü", "图", "𝄞"]
    schema = replace(CHANGED, fields={**CHANGED.fields, "id": replace(CHANGED.fields["s"], name="id")})
    engine.create_table(make_spec(schema=schema))
    engine.upsert("t", [Row(pk, {"id": pk, "more": 1}) for pk in pks])
    engine.upsert("t", [make_row("vector", (1, 2), "hash", more=3)])
    for limit in (1, 2, 4, 100):
        seen, after = [], None
        while batch := engine.scan("t", after, limit):
            assert len(batch) <= limit
            seen += batch
            after = batch[-1].pk
        assert sorted(row.pk for row in seen) == sorted([*pks, "vector"])
    full = next(row for row in seen if row.pk == "vector")
    assert dict(full.fields) == {"id": "vector", "more": 3}
    assert full.vectors["vector_field"].tolist() == [1, 2]
    assert dict(full.sources) == {"vector_field": "hash"}
    assert engine.scan("t@g1", None, 1) == engine.scan("t", None, 1)


def test_a_scan_meets_every_row_that_stays(engine):
    """Rows written and deleted behind and before it change nothing of the others."""
    engine.create_table(make_spec())
    engine.upsert("t", rows(*range(100, 200)))
    seen, after = set(), None
    for turn in range(100):
        batch = engine.scan("t", after, 7)
        if not batch:
            break
        seen |= {row.pk for row in batch}
        after = batch[-1].pk
        engine.upsert("t", rows(1000 + turn, 150))
        engine.delete("t", [after])
    assert {str(pk) for pk in range(100, 200)} <= seen


def test_touched_names_deleted_keys_that_were_not_there(engine):
    """A source that is read into another generation meanwhile may bring them."""
    engine.create_table(make_spec())
    mark = engine.mark("t")
    assert engine.delete("t", ["77"]) == 0
    assert engine.touched("t", mark) == ["77"]


def test_touched_names_what_was_written_or_deleted_since_the_mark(engine):
    engine.create_table(make_spec())
    engine.upsert("t", rows(*range(10)))
    mark = engine.mark("t")
    later = set()
    for call, touched in (
        (lambda: engine.upsert("t", rows(1, 20)), {"1", "20"}),
        (lambda: engine.update_fields("t", [Row("2", {"s": "x"}), Row("77", {"s": "x"})]), {"2"}),
        (lambda: engine.delete("t", ["3", "20"]), {"3", "20"}),
        (lambda: engine.upsert("t", rows(3)), {"3"}),
    ):
        before = engine.mark("t")
        call()
        later |= touched
        assert touched <= set(engine.touched("t", before))
        found = engine.touched("t", mark)
        assert later <= set(found)
        assert len(found) == len(set(found))
    assert "9" not in engine.touched("t", before)
    assert set(engine.touched("t@g1", mark)) >= {"1", "2", "3", "20"}


def test_marks_survive_reopening_and_a_swap(opener, tmp_path):
    with opener(tmp_path / "data") as engine:
        engine.create_table(make_spec())
        engine.upsert("t", rows(1, 2))
        mark = engine.mark("t")
        engine.delete("t", ["2"])
    with opener(tmp_path / "data") as again:
        again.upsert("t", rows(3))
        assert set(again.touched("t", mark)) == {"2", "3"}
        rebuild(again, make_spec(schema=CHANGED))
        again.upsert("t", rows(4))
        assert set(again.touched("t@g1", mark)) == {"2", "3"}


@pytest.mark.parametrize("kind", ["changes", "slow-searches"])
def test_what_people_look_at_can_be_published_again_and_is_no_table(engine, kind):
    for count in (1, 2):
        engine.publish(kind, "c1", {"at": 1e9, "id": 1, "table": "t", "counts": {"rows": count}})
    assert engine.table_names() == []
