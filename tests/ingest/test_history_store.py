"""The change history: what is written comes back, from every process, without secrets, and reaches whoever shows it."""

import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from havengate.errors import EngineError, UnfitTable
from ingest.history_store import HistoryStore
from ingest.jobs.database import _STEPS
from ingest.jobs.store import JobStore

HOUR = 3600


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0 // HOUR * HOUR

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def history(tmp_path, clock):
    store = HistoryStore(tmp_path, now=clock)
    yield store
    store.close()


def whats(entries):
    return [entry.what for entry in entries]


def test_a_look_leaves_no_file(tmp_path, history):
    assert history.entries() == []
    assert history.versions("t") == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_added_comes_back(history, clock):
    made = history.add("settings", "t", "cli:ada", detail={"changes": ["text: auto becomes plain"]})
    assert (made.id, made.at, made.ended, made.state, made.job) == (1, clock.now, clock.now, "done", None)
    assert history.entries() == [made]


def test_the_entry_of_a_job_goes_on(history):
    made = history.add("ingest", "t", "cli:ada", job=7)
    assert (made.state, made.ended, made.job) == ("queued", None, 7)
    later = replace(made, state="running", progress=0.5, read=10, written=9, rejected=1, detail={"source": "pictures"})
    history.update(later)
    assert history.entries() == [later]


def test_schemas_count_the_version_up_and_are_kept_masked(history):
    vendor = {"fields": [{"field_name": "id", "user_defined_param": {"oss_secret": "hush", "oss_access_key": "id"}}]}
    first = history.add("table created", "t", "a", detail={"schema": vendor})
    second = history.add("schema", "t", "b", detail={"schema": vendor, "changes": ["field 'n' is added"]})
    other = history.add("table created", "u", "a", detail={"schema": {}})
    settings = history.add("settings", "t", "a")
    assert [entry.version for entry in (first, second, other, settings)] == [1, 2, 1, 2]
    assert second.detail == {"changes": ["field 'n' is added"]}
    kept = history.versions("t")
    assert [(version.version, version.by) for version in kept] == [(1, "a"), (2, "b")]
    assert kept[1].schema["fields"][0]["user_defined_param"] == {"oss_secret": "******", "oss_access_key": "******"}


def test_no_secret_that_somebody_forgot_to_mask_reaches_the_file(tmp_path, history):
    made = history.add("source", "t", "a", detail={"source": "oss://b", "oss_secret": "hush-1"})
    history.update(replace(made, detail={"deep": [{"password": "hush-2"}]}))
    history.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"oss://b" in stored or b"deep" in stored
    assert b"hush" not in stored


def test_pushes_of_an_hour_are_one_entry_for_each_table_and_user(history, clock):
    for _ in range(3):
        history.pushed("t", "ada", written=10, deleted=1, rejected=2)
    history.pushed("t", "bob", written=1, deleted=0, rejected=0)
    clock.now += HOUR
    history.pushed("t", "ada", written=5, deleted=0, rejected=0)
    ada, bob, next_hour = history.entries()
    assert (ada.what, ada.by, ada.written, ada.deleted, ada.rejected) == ("push", "ada", 30, 3, 6)
    assert ada.detail == {"pushes": 3}
    assert (bob.written, next_hour.written, next_hour.at) == (1, 5, clock.now)


def test_a_push_carries_the_version_of_its_schema(history):
    history.pushed("t", "ada", written=1, deleted=0, rejected=0)
    history.add("table created", "t", "ada")
    history.pushed("t", "ada", written=1, deleted=0, rejected=0)
    assert [entry.version for entry in history.entries()] == [1, 1]


def test_entries_are_found_by_table_and_by_what_is_new(history, clock):
    made = [history.add("settings", table, "a") for table in ("t", "u", "t", "u", "t")]
    assert history.entries(table="t") == [made[0], made[2], made[4]]
    assert history.entries(limit=2) == made[3:]
    assert history.entries(after=2, limit=2) == made[2:4]
    clock.now += 10
    history.update(replace(made[0], state="paused"))
    assert [entry.id for entry in history.entries(since=clock.now)] == [1]
    assert [entry.id for entry in history.entries(since=clock.now, after=4)] == [1, 5]
    assert [entry.id for entry in history.entries(since=clock.now, after=4, table="u")] == []


def test_another_process_sees_it_at_once_and_versions_never_clash(tmp_path, history):
    other = HistoryStore(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        stores = [history, other] * 20
        list(pool.map(lambda store: store.add("schema", "t", "a"), stores))
    assert sorted(entry.version for entry in other.entries()) == list(range(1, 41))
    other.close()


def test_what_ended_long_ago_is_forgotten_but_not_the_last_schema(history, clock):
    history.add("table created", "t", "a")
    history.add("schema", "t", "a")
    running = history.add("ingest", "t", "a", job=1)
    clock.now += 100 * 24 * HOUR
    recent = history.add("settings", "t", "a")
    assert history.prune(90) == 2
    assert history.entries() == [running, recent]
    assert [version.version for version in history.versions("t")] == [2]
    assert history.add("schema", "t", "a").version == 3


def test_a_file_that_cannot_be_written_is_told_but_costs_no_push(tmp_path, caplog):
    (tmp_path / "taken").touch()
    history = HistoryStore(tmp_path / "taken")
    with pytest.raises(EngineError, match=r"jobs\.sqlite"):
        history.add("settings", "t", "a")
    history.pushed("t", "a", written=1, deleted=0, rejected=0)
    assert "table t is missing" in caplog.text


def test_the_file_is_for_its_owner_only(tmp_path, history):
    history.add("settings", "t", "a")
    assert (tmp_path / "jobs.sqlite").stat().st_mode & 0o777 == 0o600


class Board:
    """Where entries are shown; ``trouble`` is raised instead, once for each."""

    def __init__(self, *trouble):
        self.trouble = list(trouble)
        self.shown = {}
        self.arrived = threading.Event()

    def publish(self, key, change):
        if self.trouble:
            raise self.trouble.pop(0)
        self.shown[key] = json.loads(json.dumps(change))
        self.arrived.set()


def test_entries_are_published_under_keys_of_their_own_and_again_when_they_change(tmp_path):
    board = Board()
    history = HistoryStore(tmp_path, board.publish)
    made = history.add("ingest", "t", "a", job=1)
    assert board.arrived.wait(30)
    history.update(replace(made, state="done", written=5))
    history.pushed("t", "a", written=1, deleted=0, rejected=0)
    history.close()
    first, second = sorted(board.shown)
    assert (board.shown[first]["state"], board.shown[first]["written"]) == ("done", 5)
    assert board.shown[second]["what"] == "push"
    assert first.partition("-")[0] == second.partition("-")[0]


def test_what_could_not_be_published_is_by_the_next_process(tmp_path):
    away = Board(*[EngineError("the cluster does not answer")] * 2)
    history = HistoryStore(tmp_path, away.publish)
    history.add("settings", "t", "a")
    history.close()
    board = Board()
    history = HistoryStore(tmp_path, board.publish)
    history.add("settings", "t", "b")
    history.close()
    assert [entry["by"] for _, entry in sorted(board.shown.items())] == ["a", "b"]


def test_one_entry_that_is_refused_for_good_does_not_stop_the_others(tmp_path):
    board = Board(UnfitTable("no such place"))
    history = HistoryStore(tmp_path, board.publish)
    history.add("settings", "t", "a")
    history.add("settings", "t", "b")
    history.close()
    assert len(board.shown) == 1


def test_a_file_of_the_version_before_is_gone_on_with(tmp_path):
    with closing(sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)) as file:
        file.executescript(_STEPS[0])
        # What the history and the rebuilds made by themselves then.
        file.executescript(_STEPS[1] + _STEPS[2])
        file.execute("CREATE TABLE parts (name TEXT PRIMARY KEY, version INTEGER NOT NULL)")
        file.execute("INSERT INTO parts VALUES ('jobs', 1)")
        made = (
            """INSERT INTO jobs (kind, "table", params, state, by, created) VALUES ('x', 't', '{}', 'done', 'a', 0)"""
        )
        file.execute(made)
        origin = file.execute("SELECT origin FROM history").fetchone()
    with closing(HistoryStore(tmp_path)) as history, closing(JobStore(tmp_path)) as jobs:
        history.add("settings", "t", "a")
        assert whats(history.entries()) == ["settings"]
        assert [job.kind for job in jobs.jobs()] == ["x"]
    with closing(sqlite3.connect(tmp_path / "jobs.sqlite")) as file:
        assert file.execute("SELECT origin FROM history").fetchall() == [origin]
