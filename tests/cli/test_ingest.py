"""`havengate ingest` as a user runs it, on a folder as it is found on disks."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from colour_model import picture
from support import run_cli

from havengate.cli.common import printable
from ingest.jobs.store import JobStore
from schemas.templates import template

RED = picture("red")


def test_a_terminal_sees_no_control_characters():
    assert printable("a\x1b[31m\u202eb\udcff 红.png") == r"a\x1b[31m\u202eb\udcff 红.png"


def test_ingest_survives_odd_names_and_counts_other_files(tmp_path):
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    (tmp_path / "elsewhere.png").write_bytes(RED)
    for name in (b"good.png", b"\x1b[31m\xff.png", b"notes.txt"):
        (bucket / os.fsdecode(name)).write_bytes(RED)
    (bucket / "out.png").symlink_to(tmp_path / "elsewhere.png")
    (tmp_path / "schema.json").write_text(json.dumps(template("oss", endpoint=bucket.as_uri()).to_json()))
    data_dir, small = tmp_path / "data", {"HAVENGATE_PUSH__MAX_PICTURES": "1"}
    run_cli(data_dir, "table", "create", "t", "--schema", str(tmp_path / "schema.json"))
    done = run_cli(data_dir, "ingest", "t", str(bucket), check=False, env=small)
    assert (done.returncode, done.stdout) == (1, "1 rows in, 2 rejected\n")
    assert r"\x1b[31m\udcff.png: the file's name is not UTF-8" in done.stderr
    assert "a link that leads out of the picture folder" in done.stderr
    assert "1 other files left out" in done.stderr
    assert "reasons: jobs/1.rejects.jsonl in the data folder" in done.stderr
    file = data_dir / "jobs" / "1.rejects.jsonl"
    assert file.stat().st_mode & 0o777 == 0o600
    rejects = [json.loads(line) for line in file.read_text().splitlines()]
    assert [Path(each["place"]).name for each in rejects] == ["\x1b[31m\\udcff.png", "out.png"]
    assert [each["key"] is None for each in rejects] == [True, False]
    assert all(each["reason"] for each in rejects)


BARE = {
    "fields": [
        {"field_name": "id", "field_type": "INT64"},
        {"field_name": "v", "field_type": "FLOAT", "multi_value": True},
    ],
    "indexs": [
        {"index_name": "id", "index_type": "PRIMARYKEY64", "index_fields": "id"},
        {
            "index_name": "v",
            "index_type": "CUSTOMIZED",
            "index_fields": [{"field_name": "id"}, {"field_name": "v"}],
            "parameters": {"dimension": "3", "distance_type": "InnerProduct"},
        },
    ],
}


@pytest.fixture
def bare(tmp_path):
    """A data folder with a table of vectors that clients make themselves."""
    (tmp_path / "schema.json").write_text(json.dumps(BARE))
    run_cli(tmp_path / "data", "table", "create", "t", "--schema", str(tmp_path / "schema.json"))
    return tmp_path / "data"


def write_rows(file, count, **bad):
    """Rows 0, 1, ...; ``bad`` are lines in the place of some, by their numbers' words."""
    rows = [{"id": n, "v": [n % 7, 1, 2]} for n in range(count)]
    for number, line in bad.items():
        rows[int(number.removeprefix("n"))] = line
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def the_job(data_dir):
    store = JobStore(data_dir)
    (job,) = store.jobs()
    store.close()
    return job


def test_too_many_rejects_end_it_and_a_higher_limit_goes_on(bare, tmp_path):
    rows = write_rows(tmp_path / "rows.jsonl", 1100, n5={"id": "x"}, n30={"id": 4, "v": [0, 0, 0]})
    ingest = partial(run_cli, bare, "ingest", "t", "rows.jsonl", cwd=rows.parent, check=False)
    failed = ingest("--max-rejects", "1")
    assert failed.returncode == 2
    assert re.search(
        r"error: job 1 is failed after 500 rows: 2 rows rejected, the most is 1; the same command goes on",
        failed.stderr,
    )
    done = ingest("--max-rejects", "2")
    assert (done.returncode, done.stdout) == (1, "1098 rows in, 2 rejected\n")
    assert the_job(bare).attempts == 2
    assert re.findall(r"rejected \S+rows\.jsonl:(\d+)", failed.stderr + done.stderr) == ["6", "31"]


def test_what_cannot_begin_leaves_no_job(bare, tmp_path):
    for arguments in (["t", "nowhere.jsonl"], ["t", "ftp://host/x"], ["u", str(tmp_path)]):
        refused = run_cli(bare, "ingest", *arguments, check=False)
        assert (refused.returncode, refused.stdout) == (2, "")
    assert JobStore(bare).jobs() == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_same_command_goes_on_after_a_signal(bare, tmp_path, how):
    rows = write_rows(tmp_path / "rows.jsonl", 40_000)
    command = [sys.executable, "-m", "havengate", "ingest", "t", str(rows)]
    environment = os.environ | {"HAVENGATE_DATA_DIR": str(bare)}
    store = JobStore(bare)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        while not (jobs := store.jobs()) or not jobs[0].done:
            assert child.poll() is None, child.stderr.read()
            time.sleep(0.02)
        child.send_signal(how)
        _, told = child.communicate(timeout=60)
    store.close()
    before = the_job(bare)
    if how == signal.SIGINT:
        assert (child.returncode, before.state) == (2, "paused")
        assert f"job 1 is paused after {before.counts.read} rows; the same command goes on" in told
    else:
        assert (child.returncode, before.state) == (-signal.SIGKILL, "running")
    assert before.counts.read < 40_000
    done = run_cli(bare, "ingest", "t", str(rows))
    assert done.stdout == "40000 rows in, 0 rejected\n"
    job = the_job(bare)
    assert (job.attempts, job.counts.read, job.counts.written) == (2, 40_000, 40_000)


def test_a_file_that_was_written_meanwhile_is_read_again_on_request(bare, tmp_path):
    rows = write_rows(tmp_path / "rows.jsonl", 40, n20={"id": "x"})
    ingest = partial(run_cli, bare, "ingest", "t", str(rows), check=False)
    ingest("--max-rejects", "0")
    write_rows(rows, 50)
    changed = ingest()
    assert changed.returncode == 2
    assert "--restart" in changed.stderr
    again = ingest("--restart")
    assert (again.returncode, again.stdout) == (0, "50 rows in, 0 rejected\n")
    store = JobStore(bare)
    assert [job.state for job in store.jobs()] == ["done", "cancelled"]
    store.close()
