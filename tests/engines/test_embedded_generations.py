"""Generations on disk: killed in the making, dropped and closed meanwhile, and what a folder may hold."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from engine_rebuild import copy, rebuild, replay
from engine_samples import CHANGED, keys, make_row, make_spec, query

from engines.contract import Generation, RowsQuery
from engines.embedded.engine import EmbeddedEngine
from havengate.errors import Busy, EngineError, RequestError, UnknownGeneration, UnknownTable
from havengate.types import Row

CHILD = Path(__file__).with_name("generation_child.py")


def filled(data_dir):
    engine = EmbeddedEngine.open(data_dir)
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(key, (key, 0), s=str(key), f=0.1) for key in range(5)])
    return engine


def entries(data_dir):
    return {entry.name for entry in (data_dir / "tables" / "t").iterdir()} - {"current.new", "building.new"}


@pytest.mark.parametrize(
    ("place", "current", "left"),
    [
        ("engines.embedded.catalog:Catalog.build", "g1", ["g1"]),
        ("engines.embedded.catalog:encode_spec", "g1", ["g1"]),
        ("engines.embedded.catalog:_replace", "g1", ["g1"]),
        ("engines.embedded.catalog:Catalog.use", "g1", ["g1", "g2"]),
        ("engines.embedded.catalog:Catalog._forget_building", "g2", ["g1", "g2"]),
        ("engines.embedded.table:Table.retire", "g2", ["g1", "g2"]),
    ],
)
def test_a_rebuild_killed_anywhere_leaves_one_whole_generation(tmp_path, place, current, left):
    filled(tmp_path).close()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHILD.parent), str(CHILD.parents[2])])}
    done = subprocess.run(
        [sys.executable, str(CHILD), place, "embedded", str(tmp_path)], env=environment, check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    with EmbeddedEngine.open(tmp_path) as engine:
        assert keys(engine.pool("t", query((0, 0)))) == ["0", "1", "2", "3", "4"]
        generations = engine.generations("t")
        assert [each.name for each in generations] == left
        assert [each.name for each in generations if each.current] == [current]
        assert [each.name for each in generations if each.building] == [n for n in left if n > current]
        assert engine.table("t") == replace(make_spec(schema=CHANGED if current == "g2" else None), generation=current)
        for each in generations:
            if each.building:
                engine.drop_generation("t", each.name)
        following = f"g{int(current[1:]) + 1}"
        assert rebuild(engine, make_spec(schema=CHANGED)) == Generation(following, 5, current=True)
        assert entries(tmp_path) == {"current", *(each.name for each in engine.generations("t"))}


def test_a_generation_half_dropped_is_gone(tmp_path, monkeypatch):
    with filled(tmp_path) as engine:
        rebuild(engine, make_spec(schema=CHANGED))
        with monkeypatch.context() as patch:
            patch.setattr(
                "shutil.rmtree", lambda *_, **__: (_ for _ in ()).throw(OSError(5, "Input/output error", "x"))
            )
            with pytest.raises(EngineError, match="Input/output error"):
                engine.drop_generation("t", "g1")
        assert [each.name for each in engine.generations("t")] == ["g2"]
        with pytest.raises(UnknownGeneration):
            engine.fetch("t@g1", ["1"])
    with EmbeddedEngine.open(tmp_path) as engine:
        engine.stats("t")
        assert entries(tmp_path) == {"current", "g2"}


def test_a_writer_that_waited_too_long_is_told_so_and_wrote_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("engines.embedded.table._PATIENCE_S", 0.01)
    refused = []

    def write():
        for call in (
            lambda: engine.upsert("t", [make_row(9, (9, 0))]),
            lambda: engine.upsert("t@g1", [make_row(9, (9, 0))]),
            lambda: engine.delete("t", ["1"]),
            lambda: engine.set_settings("t", make_spec().settings),
        ):
            with pytest.raises(Busy):
                call()
            refused.append(call)

    def others():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    with filled(tmp_path) as engine:
        rebuild(engine, make_spec(schema=CHANGED), last=others)
        # Not even the thread that holds the writes may write what it holds.
        with pytest.raises(Busy):
            engine.hold("t", lambda: engine.upsert("t", [make_row(9, (9, 0))]))
        assert len(refused) == 4
        assert keys(engine.pool("t", query((0, 0)))) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("end", [lambda engine: engine.drop_table("t"), lambda engine: engine.close()])
def test_a_table_dropped_or_closed_meanwhile_ends_the_rebuild(tmp_path, end):
    engine = filled(tmp_path)
    table, enders = engine._tables.table("t"), []

    def stop():
        enders.append(threading.Thread(target=end, args=(engine,)))
        enders[0].start()
        while not table._closed:
            enders[0].join(0.001)

    with pytest.raises((UnknownTable, EngineError), match=r"dropped or closed|no table|engine is closed"):
        rebuild(engine, make_spec(schema=CHANGED), last=stop)
    enders[0].join()
    engine.close()
    with EmbeddedEngine.open(tmp_path) as again:
        for name in again.table_names():
            assert again.generations(name)[0] == Generation("g1", 5, current=True)
            assert again.generations(name)[1].building


def test_a_table_dropped_meanwhile_can_be_made_again_at_once(tmp_path):
    """What was open of the old one does not touch the files of the new one."""
    with filled(tmp_path) as engine:
        engine.build_generation("t", make_spec())
        for turn in range(3):
            engine.upsert("t@g2", [make_row(turn, (turn, 0))])
            engine.drop_table("t")
            engine.create_table(make_spec())
            engine.upsert("t", [make_row(turn, (turn, 0))])
            assert engine.build_generation("t", make_spec()) == "g2"
            assert keys(engine.pool("t", query((0, 0)))) == [str(turn)]
    with EmbeddedEngine.open(tmp_path) as engine:
        assert keys(engine.pool("t", query((0, 0)))) == ["2"]


def test_a_folder_that_was_put_back_by_hand_stays(tmp_path):
    with filled(tmp_path) as engine:
        for _ in range(2):
            rebuild(engine, make_spec(schema=CHANGED))
    (tmp_path / "tables" / "t" / "current").write_text("g3\n")
    with EmbeddedEngine.open(tmp_path) as engine:
        assert engine.generations("t") == [Generation("g3", 5, current=True)]
        assert {"g1", "g2"} < entries(tmp_path)


def test_a_file_that_names_no_generation_is_refused(tmp_path):
    with filled(tmp_path) as engine:
        engine.build_generation("t", make_spec())
    (tmp_path / "tables" / "t" / "building").write_text("../../elsewhere")
    with EmbeddedEngine.open(tmp_path) as engine, pytest.raises(EngineError, match="building"):
        engine.generations("t")


def test_what_is_not_searched_is_not_in_memory(tmp_path):
    with filled(tmp_path) as engine:
        engine.build_generation("t", make_spec(schema=CHANGED))
        copy(engine, "t", "t@g2")
        for address in ("t", "t@g2"):
            mark = engine.mark(address)
            engine.update_fields(address, [Row("1", {"s": "new"})])
            engine.delete(address, ["4"])
            assert engine.touched(address, mark) == ["1", "4"]
            assert len(engine.scan(address, None, 10)) == len(engine.fetch(address, list("01234"))) == 4
            assert engine.stats(address).vectors == {"vector": 4}
            assert not engine._tables.table(address).searched
        engine.use_generation("t", "g2")
        assert not engine._tables.table("t").searched
        assert keys(engine.pool("t", query((0, 0)))) == ["0", "1", "2", "3"]


def test_the_next_generation_of_a_searched_table_is_in_memory_before_it_is_used(tmp_path):
    with filled(tmp_path) as engine:
        engine.pool("t", query((0, 0)))
        engine.build_generation("t", make_spec(schema=CHANGED))
        copy(engine, "t", "t@g2")
        ready = []

        def last():
            ready.append(engine._tables.table("t@g2").searched)
            engine.upsert("t@g2", [make_row(9, (9, 0))])

        engine.use_generation("t", "g2", last)
        assert ready == [True]
        assert engine._tables.table("t").searched
        assert not engine._tables.table("t@g1").searched
        assert keys(engine.pool("t", query((9, 0), n=1))) == ["9"]


def test_half_a_surrogate_pair_is_no_key_and_costs_no_memory(tmp_path):
    with filled(tmp_path) as engine:
        engine.pool("t", query((0, 0)))
        with pytest.raises(RequestError, match="surrogate"):
            engine.delete("t", ["1", "\ud800"])
        assert engine._tables.table("t").searched
        assert engine.stats("t").rows == 5


def test_a_read_that_meets_a_generation_just_left_goes_on_in_the_next(tmp_path, monkeypatch):
    with filled(tmp_path) as engine:
        left, find = engine._tables.table("t"), engine._tables.table
        rebuild(engine, make_spec(schema=CHANGED))
        asked = query((0, 0), n=1)
        for read in (
            lambda: keys(engine.pool("t", asked)) == ["0"],
            lambda: engine.rows("t", RowsQuery()).matched == 5,
            lambda: set(engine.fetch("t", ["1"])) == {"1"},
            lambda: engine.stats("t").rows == 5,
            lambda: engine.explain("t", asked)["rows"] == 5,
            lambda: engine.upsert("t", [make_row(1, (1, 0))]) is None,
            lambda: engine.delete("t", ["none"]) == 0,
        ):
            met = [left]
            monkeypatch.setattr(engine._tables, "table", lambda name, met=met: met.pop() if met else find(name))
            assert read()
            assert not met


def test_a_table_of_an_older_version_gets_its_journal_when_it_is_opened(tmp_path):
    filled(tmp_path).close()
    with sqlite3.connect(tmp_path / "tables" / "t" / "g1" / "rows.sqlite") as connection:
        connection.execute("DROP TABLE journal")
    connection.close()
    with EmbeddedEngine.open(tmp_path) as engine:
        mark = engine.mark("t")
        assert engine.touched("t", mark) == []
        engine.delete("t", ["3"])
        assert engine.touched("t", mark) == ["3"]
        assert rebuild(engine, make_spec(schema=CHANGED)).rows == 4


def test_the_journal_is_in_the_transaction_of_the_rows(tmp_path):
    with filled(tmp_path) as engine:
        mark = engine.mark("t")
        connection = engine._tables.table("t").store._writer
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(FAIL, 'no room'); END")
        for call in (
            lambda: engine.upsert("t", [make_row(9, (9, 0))]),
            lambda: engine.update_fields("t", [Row("1", {"s": "new"})]),
            lambda: engine.delete("t", ["1"]),
        ):
            with pytest.raises(EngineError, match="no room"):
                call()
        connection.execute("DROP TRIGGER full")
        assert engine.touched("t", mark) == []
        assert engine.fetch("t", ["1", "9"])["1"].fields["s"] == "1"
        assert keys(engine.pool("t", query((9, 0), n=1))) == ["4"]


@pytest.mark.parametrize("mark", ["", "g1", "g2:0", "g1:-1", "g1:x", "g1:²", ":0"])
def test_a_mark_of_something_else_is_refused(tmp_path, mark):
    with filled(tmp_path) as engine, pytest.raises(RequestError, match="t@g1"):
        engine.touched("t", mark)


def test_a_replay_can_be_repeated(tmp_path):
    with filled(tmp_path) as engine:
        mark = engine.mark("t")
        engine.build_generation("t", make_spec(schema=CHANGED))
        copy(engine, "t@g1", "t@g2")
        engine.delete("t", ["1"])
        engine.upsert("t", [make_row(2, (8, 8))])
        for _ in range(3):
            replay(engine, "t@g1", "t@g2", mark)
            assert [row.pk for row in engine.scan("t@g2", None, 10)] == ["0", "2", "3", "4"]
