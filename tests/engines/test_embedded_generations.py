"""Generations on disk: killed in the making, dropped and closed meanwhile, and what a folder may hold."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from engine_samples import CHANGED, keys, make_row, make_spec, query

from engines.contract import Generation, RowsQuery
from engines.embedded.engine import EmbeddedEngine
from havengate.errors import Busy, EngineError, UnknownTable

CHILD = Path(__file__).with_name("generation_child.py")


def silent(_done, _of):
    pass


def filled(data_dir):
    engine = EmbeddedEngine.open(data_dir)
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(key, (key, 0), s=str(key), f=0.1) for key in range(5)])
    return engine


def entries(data_dir):
    return {entry.name for entry in (data_dir / "tables" / "t").iterdir()} - {"current.new"}


BEFORE = [
    "progress",
    "engines.embedded.catalog:encode_spec",
    "engines.embedded.catalog:Catalog.use",
    "engines.embedded.catalog:_replace",
]


@pytest.mark.parametrize(
    ("place", "current"), [*((place, "g1") for place in BEFORE), ("engines.embedded.table:Table.retire", "g2")]
)
def test_a_change_killed_anywhere_leaves_one_whole_generation(tmp_path, place, current):
    filled(tmp_path).close()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHILD.parent), str(CHILD.parents[2])])}
    done = subprocess.run(
        [sys.executable, str(CHILD), place, "embedded", str(tmp_path)], env=environment, check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    with EmbeddedEngine.open(tmp_path) as engine:
        assert keys(engine.pool("t", query((0, 0)))) == ["0", "1", "2", "3", "4"]
        assert [each.name for each in engine.generations("t") if each.current] == [current]
        assert entries(tmp_path) == {"current", *(each.name for each in engine.generations("t"))}
        assert engine.table("t") == make_spec(schema=CHANGED if current == "g2" else None)
        following = f"g{int(current[1:]) + 1}"
        assert engine.change_table("t", make_spec(schema=CHANGED), silent) == Generation(following, 5, current=True)


def test_a_generation_half_dropped_is_gone(tmp_path, monkeypatch):
    with filled(tmp_path) as engine:
        engine.change_table("t", make_spec(schema=CHANGED), silent)
        with monkeypatch.context() as patch:
            patch.setattr(
                "shutil.rmtree", lambda *_, **__: (_ for _ in ()).throw(OSError(5, "Input/output error", "x"))
            )
            with pytest.raises(EngineError, match="Input/output error"):
                engine.drop_generation("t", "g1")
        assert [each.name for each in engine.generations("t")] == ["g2"]
    with EmbeddedEngine.open(tmp_path) as engine:
        engine.stats("t")
        assert entries(tmp_path) == {"current", "g2"}


def test_a_writer_that_waited_too_long_is_told_so_and_wrote_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("engines.embedded.table._PATIENCE_S", 0.01)
    refused = []

    def turned_away(call):
        with pytest.raises(Busy) as error:
            call()
        refused.append(error)

    def write(_done, _of):
        for call in (
            lambda: engine.upsert("t", [make_row(9, (9, 0))]),
            lambda: engine.delete("t", ["1"]),
            lambda: engine.set_settings("t", make_spec().settings),
        ):
            thread = threading.Thread(target=turned_away, args=(call,))
            thread.start()
            thread.join()

    with filled(tmp_path) as engine:
        engine.change_table("t", make_spec(schema=CHANGED), write)
        assert len(refused) == 6  # progress tells the start and the end
        assert keys(engine.pool("t", query((0, 0)))) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("end", [lambda engine: engine.drop_table("t"), lambda engine: engine.close()])
def test_a_table_dropped_or_closed_meanwhile_ends_the_change(tmp_path, end):
    engine = filled(tmp_path)
    table, enders = engine._table("t"), []

    def stop(_done, _of):
        if not enders:
            enders.append(threading.Thread(target=end, args=(engine,)))
            enders[0].start()
            while not table._closed:
                time.sleep(0.001)

    with pytest.raises(UnknownTable, match="dropped or closed"):
        engine.change_table("t", make_spec(schema=CHANGED), stop)
    enders[0].join()
    engine.close()
    with EmbeddedEngine.open(tmp_path) as again:
        for name in again.table_names():
            assert again.generations(name) == [Generation("g1", 5, current=True)]


def test_a_folder_that_was_put_back_by_hand_stays(tmp_path):
    with filled(tmp_path) as engine:
        for _ in range(2):
            engine.change_table("t", make_spec(schema=CHANGED), silent)
    (tmp_path / "tables" / "t" / "current").write_text("g3\n")
    with EmbeddedEngine.open(tmp_path) as engine:
        assert engine.generations("t") == [Generation("g3", 5, current=True)]
        assert {"g1", "g2"} < entries(tmp_path)


def test_many_changes_leave_no_chain_behind(tmp_path):
    with filled(tmp_path) as engine:
        first = engine._table("t")
        for turn in range(30):
            engine.use_generation("t", engine.change_table("t", make_spec(schema=CHANGED), silent).name)
            engine.drop_generation("t", f"g{turn + 1}")
        assert first.newest._successor is None
        assert first._successor is first.newest
        engine.upsert("t", [make_row(7, (0, 0))])
        assert engine.stats("t").rows == 6


def test_a_read_that_meets_a_generation_just_left_goes_on_in_the_next(tmp_path, monkeypatch):
    with filled(tmp_path) as engine:
        left, find = engine._table("t"), engine._table
        engine.change_table("t", make_spec(schema=CHANGED), silent)
        asked = query((0, 0), n=1)
        for read in (
            lambda: keys(engine.pool("t", asked)) == ["0"],
            lambda: engine.rows("t", RowsQuery()).matched == 5,
            lambda: set(engine.fetch("t", ["1"])) == {"1"},
            lambda: engine.stats("t").rows == 5,
            lambda: engine.explain("t", asked)["rows"] == 5,
        ):
            met = [left]
            monkeypatch.setattr(engine, "_table", lambda name, met=met: met.pop() if met else find(name))
            assert read()
            assert not met
