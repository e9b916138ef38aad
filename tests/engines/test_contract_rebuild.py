"""A rebuild under fire: readers and writers go on, whoever is killed leaves one whole generation, nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from engine_rebuild import copy, current, finish, rebuild
from engine_samples import CHANGED, compare, keys, make_row, make_spec, query

from engines.contract import RowsQuery
from havengate.errors import Busy, Moved, RequestError, UnknownGeneration, UnknownTable

CHILD = Path(__file__).with_name("generation_child.py")


@pytest.fixture
def table(engine):
    """Table t with rows 0 to 4."""
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(key, (key, 0), s=str(key)) for key in range(5)])
    return engine


def test_writes_meanwhile_are_in_the_new_generation_and_deleted_rows_are_not(table):
    def busy(_copied):
        table.upsert("t", [make_row(0, (9, 9), s="replaced"), make_row(50, (50, 0))])
        table.delete("t", ["1", "4"])
        table.upsert("t", [make_row(4, (4, 4), s="back again")])

    made = rebuild(table, make_spec(schema=CHANGED), step=busy)
    assert (made.name, made.rows) == ("g2", 5)
    rows = table.fetch("t", [str(key) for key in (0, 1, 2, 3, 4, 50)], ["vector_field"])
    assert list(rows) == ["0", "2", "3", "4", "50"]
    assert (rows["0"].fields["s"], rows["4"].fields["s"]) == ("replaced", "back again")
    assert rows["0"].vectors["vector_field"].tolist() == [9, 9]


def test_last_reads_both_and_writes_the_other_while_writes_are_held(table):
    table.build_generation("t", make_spec(schema=CHANGED))
    seen = []

    def last():
        copy(table, "t", "t@g2")
        for address in ("t", "t@g1", "t@g2"):
            assert keys(table.pool(address, query((4, 0), n=1))) == ["4"]
            assert len(table.scan(address, None, 10)) == 5
            table.touched(address, table.mark(address))
            assert table.table(address).table == "t"
        assert [each.rows for each in table.generations("t")] == [5, 5]
        table.delete("t@g2", ["0"])
        seen.append(table.table("t").generation)

    table.use_generation("t", "g2", last)
    assert seen == ["g1"]
    assert keys(table.pool("t", query((0, 0)))) == ["1", "2", "3", "4"]


def test_while_writes_are_held_others_cannot_change_the_table(table):
    table.build_generation("t", make_spec(schema=CHANGED))
    refused = []

    def others():
        for call in (
            lambda: table.use_generation("t", "g2"),
            lambda: table.drop_generation("t", "g2"),
            lambda: table.hold("t", lambda: None),
        ):
            with pytest.raises(Busy):
                call()
            refused.append(call)

    def last():
        thread = threading.Thread(target=others)
        thread.start()
        thread.join()

    table.hold("t", last)
    table.use_generation("t", "g2", last)
    assert len(refused) == 6
    assert current(table) == "g2"


@pytest.mark.parametrize("way", ["hold", "use"])
def test_a_writer_waits_or_is_told_and_loses_nothing(table, way):
    """What is acknowledged while writes are held is in the generation that is current then."""
    table.build_generation("t", make_spec(schema=CHANGED))
    threads, written, started = [], [], threading.Event()

    def write():
        started.set()
        try:
            table.upsert("t", [make_row(9, (9, 0))])
        except Busy:
            return
        written.append("9")

    def last():
        threads.append(threading.Thread(target=write))
        threads[0].start()
        started.wait()
        assert "9" not in table.fetch("t", ["9"])
        assert "9" not in table.fetch("t@g2", ["9"])

    if way == "hold":
        table.hold("t", last)
    else:
        table.use_generation("t", "g2", last)
    threads[0].join()
    assert list(table.fetch("t", ["9"])) == written
    assert "9" not in table.fetch("t@g1" if way == "use" else "t@g2", ["9"])
    table.upsert("t", [make_row(10, (10, 0))])


@pytest.mark.parametrize("way", ["hold", "use"])
def test_what_fails_in_the_end_changes_nothing(table, way):
    table.build_generation("t", make_spec(schema=CHANGED))

    def fail():
        table.upsert("t@g2", [make_row(1, (1, 0))])
        raise ZeroDivisionError

    ways = {"hold": lambda: table.hold("t", fail), "use": lambda: table.use_generation("t", "g2", fail)}
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            ways[way]()
        assert [(each.current, each.building) for each in table.generations("t")] == [(True, False), (False, True)]
        table.upsert("t", [make_row(7, (7, 0))])
        table.delete("t", ["7"])
    table.use_generation("t", "g2", lambda: None)
    assert keys(table.pool("t", query((0, 0)))) == ["1"]


def test_the_current_generation_is_used_already(table):
    table.use_generation("t", "g1", lambda: pytest.fail("there is nothing to catch up with"))
    assert current(table) == "g1"


def test_a_table_dropped_meanwhile_ends_the_rebuild(table):
    def drop(_copied):
        table.drop_table("t")

    with pytest.raises((UnknownTable, UnknownGeneration)):
        rebuild(table, make_spec(schema=CHANGED), step=drop)
    assert table.table_names() == []


def test_rolling_back_replays_what_was_written_since(table):
    rebuild(table, make_spec(schema=CHANGED))
    mark = table.mark("t@g2")
    table.upsert("t", [make_row(0, (7, 7), s="new", more=1), make_row(60, (6, 0))])
    table.delete("t", ["2"])
    finish(table, "t@g2", "g1", mark)
    assert current(table) == "g1"
    rows = table.fetch("t", ["0", "1", "2", "60"])
    assert list(rows) == ["0", "1", "60"]
    assert dict(rows["0"].fields) == {"id": 0, "s": "new"}


def repeated(call, stop, errors):
    """A thread that calls until it is told to stop, or something goes wrong."""

    def run():
        try:
            while not stop.is_set():
                call()
        except Exception as error:  # noqa: BLE001  whatever it is fails the test
            errors.append(error)

    return threading.Thread(target=run)


class Writer:
    """Writes rows of its own keys one after the other, and remembers what was acknowledged."""

    def __init__(self, engine, first):
        self.engine, self.first, self.turn = engine, first, 0
        self.there: dict[str, str] = {}

    def __call__(self):
        self.turn += 1
        key = self.first + self.turn % 20
        try:
            if self.turn % 4:
                self.engine.upsert("t", [make_row(key, (key, 0), s=f"{self.turn}")])
                self.there[str(key)] = f"{self.turn}"
            else:
                self.engine.delete("t", [str(key)])
                self.there.pop(str(key), None)
        except Busy:
            # Refused as a whole: it is as it was.
            return


def test_writers_during_rebuilds_lose_nothing_and_no_deleted_row_comes_back(table):
    specs = [make_spec(), make_spec(schema=CHANGED)]
    writers = [Writer(table, first) for first in (100, 200, 300)]
    stop, errors, reads = threading.Event(), [], []

    def read():
        spec = table.table("t")
        try:
            pool = table.pool("t", query((3, 0), n=1000, generation=spec.expects))
        except Moved:
            return
        assert {"0", "1", "2", "3", "4"} <= set(keys(pool))
        reads.append(spec.generation)

    threads = [repeated(call, stop, errors) for call in (*writers, read)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(3):
            assert rebuild(table, specs[(turn + 1) % 2]).current
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert reads
    there = {row.pk: row.fields["s"] for row in table.scan("t", None, 1000) if int(row.pk) >= 100}
    assert there == {**writers[0].there, **writers[1].there, **writers[2].there}
    assert set(keys(table.rows("t", RowsQuery(compare("id", ">=", 100))))) == set(there)
    assert current(table) == "g4"


@pytest.fixture
def holds_of_the_dead_end(monkeypatch):
    """At once, instead of after the minute for which an engine of several processes believes in the holder."""
    monkeypatch.setattr("engines.opensearch.stored.LIFELESS_S", 0)


def acknowledged_until_killed(arguments, lines):
    """Lines that the child said before it was killed, after at least ``lines`` of them."""
    with child(arguments, stdout=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    assert said[0], "it wrote nothing"
    return [line.split() for line in said if line.endswith("\n")]


def child(arguments, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHILD.parent), str(CHILD.parents[2])])}
    return subprocess.Popen([sys.executable, str(CHILD), *arguments], env=environment, **options)


def survive(opener, place, folder, kills, seed):
    with opener(folder) as engine:
        engine.create_table(make_spec())
    state, chance = {}, random.Random(seed)
    for turn in range(kills):
        for kind, key, *version in acknowledged_until_killed(["never", *place(folder)], chance.randint(1, 60)):
            state.pop(key, None)
            if kind == "+":
                state[key] = version[0]
        with opener(folder) as engine:
            state = whole(engine, state)
            engine.hold("t", lambda: None)
            made = [each.name for each in engine.generations("t") if each.building]
            for generation in made[:1] if turn % 2 else ():
                filled_on(engine, generation)
                assert whole(engine, state) == state
            for generation in made[:1] if not turn % 2 else ():
                engine.drop_generation("t", generation)
                assert whole(engine, state) == state


def whole(engine, state):
    """What is there: what was acknowledged, but for the one row that was being written."""
    generations = engine.generations("t")
    assert sum(each.current for each in generations) == 1
    assert sum(each.building for each in generations) <= 1
    there = {row.pk: row.fields["s"] for row in engine.scan("t", None, 1000)}
    assert sum(state.get(key) != there.get(key) for key in state.keys() | there.keys()) <= 1
    assert sorted(keys(engine.pool("t", query((0, 0), n=1000)))) == sorted(there)
    return there


def filled_on(engine, generation):
    former = f"t@{current(engine)}"
    mark = engine.mark(former)
    there = {row.pk for row in engine.scan(former, None, 1000)}
    engine.delete(
        f"t@{generation}", [row.pk for row in engine.scan(f"t@{generation}", None, 1000) if row.pk not in there]
    )
    copy(engine, former, f"t@{generation}")
    finish(engine, former, generation, mark)
    assert current(engine) == generation


@pytest.mark.usefixtures("holds_of_the_dead_end")
def test_rebuilds_killed_anywhere_leave_one_whole_generation(opener, place, tmp_path):
    survive(opener, place, tmp_path / "data", kills=5, seed=1)


@pytest.mark.usefixtures("holds_of_the_dead_end")
@pytest.mark.long
def test_many_rebuilds_killed_anywhere_leave_one_whole_generation(opener, place, tmp_path):
    survive(opener, place, tmp_path / "data", kills=40, seed=2)


@pytest.mark.usefixtures("holds_of_the_dead_end")
@pytest.mark.parametrize("at", ["step", "last"])
def test_a_rebuild_killed_before_its_swap_has_changed_nothing(opener, place, tmp_path, at):
    with opener(tmp_path / "data") as engine:
        engine.create_table(make_spec())
        engine.upsert("t", [make_row(key, (key, 0), s=str(key)) for key in range(5)])
    with child([at, *place(tmp_path / "data")]) as process:
        assert process.wait() == -signal.SIGKILL
    with opener(tmp_path / "data") as engine:
        assert [(each.name, each.current, each.building) for each in engine.generations("t")] == [
            ("g1", True, False),
            ("g2", False, True),
        ]
        filled_on(engine, "g2")
        assert keys(engine.pool("t", query((0, 0)))) == ["0", "1", "2", "3", "4"]
        with pytest.raises(RequestError):
            engine.drop_generation("t", "g2")
