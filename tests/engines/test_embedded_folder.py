"""The data folder: held by one process, free of half-made tables, and clear about what is wrong with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from engine_samples import full_spec, keys, make_row, make_spec, query

from engines.codec import decode_spec, encode_spec
from engines.embedded.catalog import Catalog
from engines.embedded.engine import EmbeddedEngine
from engines.embedded.lock import FolderLock
from engines.embedded.store import RowStore
from havengate.errors import DataFolderBusy, EngineError, UnknownTable
from schemas.settings import TableSettings

HOLDER = """
import sys, time
from pathlib import Path
from engines.embedded.engine import EmbeddedEngine
engine = EmbeddedEngine.open(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process


def test_a_held_folder_names_its_holder_and_a_kill_frees_it(tmp_path, holder):
    with pytest.raises(DataFolderBusy, match=rf"pid {holder.pid}\b"):
        EmbeddedEngine.open(tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    EmbeddedEngine.open(tmp_path).close()


def test_waiting_for_a_folder_gets_it_when_it_is_freed(tmp_path, holder):
    release = threading.Timer(0.2, holder.stdin.close)
    release.start()
    EmbeddedEngine.open(tmp_path, wait_s=60).close()
    release.join()


def test_a_second_engine_in_one_process_is_refused_too(tmp_path):
    engine = EmbeddedEngine.open(tmp_path / "made" / "on the way")
    with pytest.raises(DataFolderBusy, match=rf"pid {os.getpid()}\b"):
        EmbeddedEngine.open(tmp_path / "made" / "on the way", wait_s=0.1)
    engine.close()
    EmbeddedEngine.open(tmp_path / "made" / "on the way").close()


def test_a_running_server_is_named_before_the_process_that_holds_the_lock(tmp_path):
    lock = FolderLock(tmp_path)
    (tmp_path / "lock").write_text("")
    with pytest.raises(DataFolderBusy, match="another process"):
        FolderLock(tmp_path)
    (tmp_path / "server.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": os.getppid()}))
    with pytest.raises(DataFolderBusy, match=rf"http://127.0.0.1:1, pid {os.getppid()}"):
        FolderLock(tmp_path)
    lock.release()


def test_a_schema_may_hold_keys_and_is_for_its_owner_alone(tmp_path):
    engine = EmbeddedEngine.open(tmp_path)
    engine.create_table(make_spec())
    engine.set_settings("t", TableSettings(strict=True))
    engine.close()
    (kept,) = tmp_path.rglob("table.json")
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="file"):
        EmbeddedEngine.open(tmp_path / "file" / "data")


def test_a_closed_engine_says_so(tmp_path):
    engine = EmbeddedEngine.open(tmp_path)
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(1)])
    engine.close()
    engine.close()
    for call in (engine.table_names, lambda: engine.stats("t"), lambda: engine.fetch("t", ["1"])):
        with pytest.raises(EngineError, match="closed"):
            call()


@pytest.mark.parametrize("step", ["create", "encode_spec", "rename"])
def test_a_table_that_failed_in_the_making_leaves_nothing(tmp_path, monkeypatch, step):
    def fail(*_):
        raise OSError(28, "No space left on device", "somewhere")

    targets = {
        "create": "engines.embedded.catalog.RowStore.create",
        "encode_spec": "engines.embedded.catalog.encode_spec",
        "rename": "pathlib.Path.rename",
    }
    with EmbeddedEngine.open(tmp_path) as engine:
        with monkeypatch.context() as patch:
            patch.setattr(targets[step], fail)
            with pytest.raises(EngineError, match="No space left"):
                engine.create_table(make_spec())
        assert engine.table_names() == []
    with EmbeddedEngine.open(tmp_path) as engine:
        assert list((tmp_path / "tables").iterdir()) == []
        engine.create_table(make_spec())


def test_a_table_half_dropped_is_gone(tmp_path, monkeypatch):
    with EmbeddedEngine.open(tmp_path) as engine:
        engine.create_table(make_spec())
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error", "x")))
            with pytest.raises(EngineError, match="Input/output error"):
                engine.drop_table("t")
        assert engine.table_names() == []
    with EmbeddedEngine.open(tmp_path):
        assert list((tmp_path / "tables").iterdir()) == []


def test_a_file_managers_files_stand_in_nobodys_way(tmp_path):
    EmbeddedEngine.open(tmp_path).close()
    tables = tmp_path / "tables"
    strays = [".DS_Store", ".new-notes", "notes"]
    for name in strays:
        (tables / name).write_text("")
    for name in (".Trash", "empty"):
        (tables / name).mkdir()
    with EmbeddedEngine.open(tmp_path) as engine:
        engine.create_table(make_spec())
        assert engine.table_names() == ["t"]
        for name in ("notes", "empty"):
            with pytest.raises(UnknownTable):
                engine.stats(name)
        with pytest.raises(EngineError, match="notes"):
            engine.create_table(make_spec("notes"))
        engine.create_table(make_spec("empty"))
    with EmbeddedEngine.open(tmp_path) as engine:
        assert engine.table_names() == ["empty", "t"]
        assert {entry.name for entry in tables.iterdir()} == {*strays, ".Trash", "empty", "t"}


def test_a_full_disk_writes_nothing_and_says_what_to_do(tmp_path):
    with EmbeddedEngine.open(tmp_path) as engine:
        engine.create_table(make_spec())
        engine.upsert("t", [make_row(1, (1, 1), s="kept")])
        connection = engine._tables.table("t").store._writer
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(EngineError, match="disk is full; free some space"):
            engine.upsert("t", [make_row(key, (0, 0), s="x" * 10_000) for key in range(50)])
        assert keys(engine.pool("t", query((0, 0)))) == ["1"]
        connection.execute("PRAGMA max_page_count = 1000000")
        engine.upsert("t", [make_row(2, (0, 0))])
        assert keys(engine.pool("t", query((0, 0)))) == ["2", "1"]


@pytest.mark.parametrize("damage", [b"", b"not a database" * 1000])
def test_a_damaged_database_is_reported(tmp_path, damage):
    with EmbeddedEngine.open(tmp_path) as engine:
        engine.create_table(make_spec())
    (tmp_path / "tables" / "t" / "g1" / "rows.sqlite").write_bytes(damage)
    with EmbeddedEngine.open(tmp_path) as engine, pytest.raises(EngineError, match="table t"):
        engine.stats("t")


def test_a_missing_database_is_not_replaced_by_an_empty_one(tmp_path):
    with EmbeddedEngine.open(tmp_path) as engine:
        engine.create_table(make_spec())
    (tmp_path / "tables" / "t" / "g1" / "rows.sqlite").unlink()
    with EmbeddedEngine.open(tmp_path) as engine, pytest.raises(EngineError, match="cannot be opened"):
        engine.stats("t")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 1}', encode_spec(full_spec()).replace("UINT64", "UINT65")]
)
def test_a_damaged_specification_is_named(text):
    with pytest.raises(EngineError, match=r"here.*backup"):
        decode_spec(text, "here")


def test_a_specification_of_a_newer_version_is_refused():
    newer = encode_spec(full_spec()).replace('"format": 1', '"format": 2')
    with pytest.raises(EngineError, match="newer version"):
        decode_spec(newer, "here")


def test_a_pointer_that_leads_out_of_the_table_is_refused(tmp_path):
    with EmbeddedEngine.open(tmp_path) as engine:
        engine.create_table(make_spec())
    (tmp_path / "tables" / "t" / "current").write_text("../../elsewhere")
    with EmbeddedEngine.open(tmp_path) as engine, pytest.raises(EngineError, match="current"):
        engine.stats("t")


def test_a_later_generation_is_used_when_the_pointer_names_it(tmp_path):
    catalog = Catalog(tmp_path)
    catalog.create(make_spec())
    table = tmp_path / "tables" / "t"
    (table / "g2").mkdir()
    RowStore.create(table / "g2" / "rows.sqlite")
    (table / "g2" / "table.json").write_text(encode_spec(full_spec()))
    (table / "current").write_text("g2")
    with EmbeddedEngine.open(tmp_path) as engine:
        assert engine.table("t") == replace(full_spec(), generation="g2")


def test_a_failure_after_the_commit_is_healed_from_the_truth(tmp_path, monkeypatch):
    with EmbeddedEngine.open(tmp_path) as engine:
        engine.create_table(make_spec())
        engine.upsert("t", [make_row(1, (1, 1), s="old")])
        engine.pool("t", query((0, 0)))  # in memory from now on
        with monkeypatch.context() as patch:
            patch.setattr("engines.embedded.memory.TableMemory.append", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                engine.upsert("t", [make_row(1, (2, 2), s="new")])
        pool = engine.pool("t", query((2, 2), columns=("s",)))
        assert pool.frame["s"].to_list() == ["new"]
