"""Commands about jobs and the history, as functions of what is in the data folder."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from colour_model import picture

from engines.embedded.lock import FolderLock
from havengate.cli import cli
from havengate.cli.moments import counts, duration, moment, shortened
from havengate.errors import DataFolderBusy, HavengateError, JobError, RequestError
from ingest.history_store import HistoryStore
from ingest.jobs.store import JobStore
from schemas.templates import template


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    monkeypatch.setenv("HAVENGATE_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def store(data_dir):
    opened = JobStore(data_dir)
    yield opened
    opened.close()


def run(*command):
    """What a command says; its error is raised."""
    done = CliRunner().invoke(cli, command)
    if isinstance(done.exception, HavengateError):
        raise done.exception
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def make_table(tmp_path, name="t"):
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(template("base64").to_json()))
    run("table", "create", name, "--schema", str(schema))


def make_pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for colour in ("red", "blue"):
        (folder / f"{colour}.png").write_bytes(picture(colour))
    (folder / "broken.png").write_bytes(b"no picture")
    return str(folder)


def test_looking_at_an_empty_folder_makes_nothing(data_dir):
    assert run("job", "list") == ""
    assert run("changes") == ""
    assert not data_dir.exists()


def test_a_job_is_shown_in_words_and_as_json(store):
    job = store.add("ingest", "t", {"source": "/pictures"}, "cli:ada")
    store.save(job.id, {"state": "failed", "message": "out of colour", "read": 1200, "written": 3, "rejected": 1})
    store.save(job.id, {}, rejects=[("a.png", "7", "broken \x1b[31m"), ("b.png", None, "gone")])
    store.add("rebuild", "u", {}, "cli:ada")
    newest, oldest = run("job", "list").splitlines()
    assert newest == "job 2  rebuild  u  queued"
    assert oldest == "job 1  ingest  t  failed  1,200 read, 3 in, 1 rejected  out of colour"
    assert run("job", "list", "--table", "t", "--state", "failed").splitlines() == [oldest]
    assert json.loads(run("job", "list", "--json", "--limit", "1"))["id"] == 2
    shown = run("job", "show", "1")
    assert re.search(r"^asked for \S+ \S+ by cli:ada$", shown, re.MULTILINE)
    assert r"rejected a.png: broken \x1b[31m (key 7)" in shown
    assert shown.endswith("rejected b.png: gone\n")
    assert [reject["place"] for reject in json.loads(run("job", "show", "1", "--json"))["rejects"]] == [
        "a.png",
        "b.png",
    ]


def test_a_job_whose_process_was_killed_is_not_told_to_run_as_if_it_did(data_dir, store):
    earlier = JobStore(data_dir, now=lambda: time.time() - 7300)
    for job in (store.add("ingest", "t", {}, "a"), store.add("ingest", "u", {}, "a")):
        (earlier if job.table == "t" else store).save(job.id, {"state": "running"})
    earlier.close()
    alive, killed = run("job", "list").splitlines()
    assert alive == "job 2  ingest  u  running  0"
    assert killed == "job 1  ingest  t  running, no word from it for 2 h 01 min  0"


def test_all_rejects_are_shown_however_many(store):
    job = store.add("ingest", "t", {}, "a")
    store.save(job.id, {}, rejects=[(f"line {number}", None, "bad") for number in range(2500)])
    assert run("job", "show", "1").count("rejected line") == 2500


def test_what_is_asked_of_a_job_is_done_and_recorded(store):
    store.add("ingest", "t", {}, "a")
    assert run("job", "pause", "1") == "job 1  ingest  t  paused\n"
    assert run("job", "resume", "1") == "job 1  ingest  t  queued\n"
    assert run("job", "retry", "1") == "job 1  ingest  t  queued\n"
    assert run("job", "cancel", "1") == "job 1  ingest  t  cancelled\n"
    with pytest.raises(JobError, match="nothing to resume"):
        run("job", "resume", "1")
    with pytest.raises(JobError, match="no job 9"):
        run("job", "pause", "9")
    assert [line.split("  ")[-1] for line in run("changes").splitlines()] == [
        "asked pause",
        "asked resume",
        "asked retry",
        "asked cancel",
    ]


def test_jobs_and_history_are_there_while_another_process_holds_the_folder(data_dir, store):
    store.add("ingest", "t", {}, "a")
    lock = FolderLock(data_dir)
    try:
        assert "paused" in run("job", "pause", "1")
        assert "asked pause" in run("changes")
        with pytest.raises(DataFolderBusy, match="in use by pid"):
            run("table", "list")
    finally:
        lock.release()


def test_the_worker_runs_what_is_there(data_dir, store, tmp_path):
    make_table(tmp_path)
    folder = make_pictures(tmp_path)
    store.add("ingest", "t", {"source": folder, "max_rejects": None}, "cli:ada")
    begun, ended = run("worker", "--once").splitlines()
    assert begun.startswith("job 1  ingest  t  running")
    assert ended == "job 1  ingest  t  done  3 read, 2 in, 1 rejected  2 rows in, 1 rejected"
    assert run("worker", "--once") == ""
    store.add("ingest", "t", {"source": f"{folder}/gone", "max_rejects": None}, "cli:ada")
    done = CliRunner().invoke(cli, ["worker", "--once"])
    assert (done.exit_code, "no such file" in done.stdout) == (1, True)
    created, first, second = run("changes").splitlines()
    assert "table created  t  v1  cli:" in created
    assert "ingest (job 1)  t  v1  cli:ada  done  3 read, 2 in, 1 rejected" in first
    assert "ingest (job 2)  t  v1  cli:ada  failed" in second
    lock = FolderLock(data_dir)
    lock.release()


def test_a_worker_ends_at_a_signal(data_dir):
    worker = subprocess.Popen([sys.executable, "-m", "havengate", "worker"], stderr=subprocess.PIPE, text=True)
    while not (data_dir / "lock").exists() or not (data_dir / "lock").read_text().strip():
        assert worker.poll() is None, worker.stderr.read()
        time.sleep(0.02)
    # The handler is in place soon after; before it a signal ends the process, too, with its own code.
    worker.send_signal(signal.SIGTERM)
    _, said = worker.communicate(timeout=60)
    assert worker.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in said


def test_a_source_in_the_settings_is_the_same_from_everywhere(data_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_table(tmp_path)
    assert f"source={tmp_path}/rows.csv " in run("table", "set", "t", "source=rows.csv")
    for source in ("oss://bucket/a b", "table:other", ""):
        assert f"source={source} rebuild" in run("table", "set", "t", f"source={source}")
    with pytest.raises(RequestError, match="keys"):
        run("table", "set", "t", "source=oss://id:hush@bucket")
    assert "hush" not in run("changes")
    assert data_dir.exists()


def test_changes_are_shown_by_table_and_number(data_dir):
    history = HistoryStore(data_dir)
    history.add("table created", "t", "cli:ada", detail={"schema": {}})
    history.add("settings", "u", "cli:ada", detail={"changes": ["text: 'auto' becomes 'plain'", "x" * 200]})
    history.pushed("t", "bob", written=1200, deleted=1, rejected=0)
    history.close()
    lines = run("changes").splitlines()
    assert re.fullmatch(r"\S+ \S+  table created  t  v1  cli:ada  done", lines[0])
    assert "settings  u  -  cli:ada  done  text: 'auto' becomes 'plain'; xxx" in lines[1]
    assert lines[1].endswith("…")
    assert "push  t  v1  bob  done  1,200 in, 1 deleted" in lines[2]
    assert run("changes", "--table", "u").splitlines() == [lines[1]]
    assert run("changes", "--limit", "1").splitlines() == [lines[2]]
    assert [json.loads(line)["id"] for line in run("changes", "--json").splitlines()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (61, "1 min 01 s"), (3600, "1 h 00 min"), (7680, "2 h 08 min")],
)
def test_durations(seconds, said):
    assert duration(seconds) == said


def test_moments_and_counts():
    assert moment(None) == "-"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", moment(0.0))
    assert counts({"read": 0, "written": 1500, "deleted": 0, "rejected": 2}) == "1,500 in, 2 rejected"
    assert shortened("abc", 3) == "abc"
    assert shortened("abcd", 3) == "ab…"
