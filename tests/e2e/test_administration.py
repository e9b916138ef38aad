"""The command line while a server holds the folder: the same commands, the same words, and jobs that outlive kills."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from served import Served
from support import run_cli

import examples
from engines.embedded.engine import EmbeddedEngine
from havengate.cli import cli
from havengate.errors import HavengateError
from schemas.templates import template

PICTURES = examples.folder() / "clothes"
STOCK = {"field_name": "stock", "field_type": "INT32"}
SLOW = {"HAVENGATE_EMBEDDING__BATCH": "2", "HAVENGATE_JOBS__WORKERS": "1"}
"""Small batches, so that there is a middle."""


@pytest.fixture
def served(tmp_path):
    servers = []

    def start(name="data", **env):
        servers.append(Served(tmp_path / name, **env))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def pictures(folder, count):
    folder.mkdir()
    for path in sorted(PICTURES.glob("*.jpg"))[:count]:
        shutil.copy(path, folder)
    return str(folder)


def content(data_dir, table):
    """Every row with its vectors, by key."""
    with EmbeddedEngine.open(data_dir) as engine:
        rows = engine.scan(table, None, 10_000)
        return {
            row.pk: (dict(row.fields), {name: vector.tobytes() for name, vector in row.vectors.items()}) for row in rows
        }


def plain(text):
    """Without moments, durations and series of tokens, which begin at random, and without where the folder is."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "WHEN", text)
    text = re.sub(r'"(at|ended|created|started|heartbeat|bytes)": [\d.]+', r'"\1": 0', text)
    text = re.sub(r'(image_tokens"?(?:=|: ))\d+', r"\1N", text)
    return re.sub(r"[\d.]+ (s|MB)\b", r"N \1", text)


@pytest.fixture
def life(tmp_path, schema, monkeypatch):
    """A table's life in commands; what each says."""
    wider = tmp_path / "wider.json"
    wider.write_text(json.dumps(template("base64", extra_fields=(STOCK,)).to_json()))
    folder = pictures(tmp_path / "pictures", 6)
    (tmp_path / "pictures" / "broken.jpg").write_bytes(b"no picture")
    commands = [
        ["table", "create", "shoes", "--schema", schema, "--set", "text=plain"],
        ["table", "create", "shoes", "--schema", schema],
        ["table", "set", "shoes", "strict=true"],
        ["table", "set", "shoes", "nope=1"],
        ["ingest", "shoes", folder],
        ["ingest", "shoes", f"{folder}/gone"],
        ["table", "list"],
        ["table", "show", "shoes"],
        ["table", "rebuild", "shoes", "--schema", str(wider), "--dry-run"],
        ["table", "rebuild", "shoes", "--schema", str(wider)],
        ["table", "generations", "shoes"],
        ["table", "rollback", "shoes", "--yes"],
        ["table", "rollback", "shoes", "g9", "--yes"],
        ["job", "list"],
        ["job", "show", "1"],
        ["job", "show", "1", "--json"],
        ["job", "resume", "1"],
        ["job", "show", "9"],
        ["changes"],
        ["changes", "--json"],
        ["table", "drop", "shoes", "--yes"],
        ["table", "list"],
    ]

    def live(data_dir):
        monkeypatch.setenv("HAVENGATE_DATA_DIR", str(data_dir))
        return [(command, *said(command)) for command in commands]

    return live


def said(command):
    """Exit code, what stands on stdout, and the error."""
    done = CliRunner().invoke(cli, command)
    known = isinstance(done.exception, HavengateError | SystemExit | None)
    assert known, done.exception
    failed = isinstance(done.exception, HavengateError)
    return 2 if failed else done.exit_code, plain(done.stdout), str(done.exception) if failed else ""


def test_commands_say_the_same_whether_a_server_holds_the_folder_or_not(served, life, tmp_path):
    alone = life(tmp_path / "alone")
    beside = life(served("data").data_dir)
    for here, there in zip(alone, beside, strict=True):
        assert here == there
    assert [code for _, code, _, _ in alone] == [0, 2, 0, 2, 1, 2, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2, 2, 0, 0, 0, 0]


def test_a_job_goes_on_by_itself_after_the_server_was_killed_or_ended(served, schema, tmp_path):
    folder = pictures(tmp_path / "pictures", 60)
    run_cli(tmp_path / "calm", "table", "create", "shoes", "--schema", schema)
    run_cli(tmp_path / "calm", "ingest", "shoes", folder)
    server = served(**SLOW)
    server.cli("table", "create", "shoes", "--schema", schema)
    watching = follow(server.data_dir, "ingest", "shoes", folder)
    number = first_job(server, watching)
    for written, end in ((4, server.kill), (20, server.stop)):
        server.until(number, lambda job, most=written: job["counts"]["written"] >= most)
        assert not end()
        server.start()
    job = server.until(number, lambda job: job["state"] == "done")
    assert (job["counts"]["read"], job["counts"]["written"], job["counts"]["rejected"]) == (60, 60, 0)
    assert job["attempts"] == 3
    watching.communicate(timeout=60)
    (entry,) = [each for each in changes(server) if each["what"] == "ingest"]
    assert (entry["state"], entry["written"], entry["progress"]) == ("done", 60, 1.0)
    server.stop()
    assert content(server.data_dir, "shoes") == content(tmp_path / "calm", "shoes")
    server.start()


def follow(data_dir, *arguments):
    """A command that goes on, as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "havengate", *arguments],
        env=os.environ | {"HAVENGATE_DATA_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def listed(server):
    return server.ask("GET", "/admin/jobs", Authorization=f"Bearer {server.record['token']}")[1]["jobs"]


def first_job(server, watching):
    """The number of the job that a command has asked for."""
    while not (jobs := listed(server)):
        assert watching.poll() is None, watching.stderr.read()
        time.sleep(0.02)
    return jobs[0]["id"]


def changes(server):
    return [json.loads(line) for line in server.cli("changes", "--json").stdout.splitlines()]


def test_a_running_job_is_paused_resumed_and_cancelled(served, schema, tmp_path):
    folder = pictures(tmp_path / "pictures", 80)
    server = served(**SLOW)
    server.cli("table", "create", "shoes", "--schema", schema)
    watching = follow(server.data_dir, "ingest", "shoes", folder)
    number = str(first_job(server, watching))
    server.until(number, lambda job: job["counts"]["written"] >= 2)
    assert server.cli("job", "pause", number).stdout.startswith(f"job {number}  ingest  shoes")
    paused = server.until(number, lambda job: job["state"] == "paused")
    _, said = watching.communicate(timeout=60)
    assert watching.returncode == 2
    assert f"job {number} is paused after" in said
    assert 0 < paused["counts"]["written"] < 80
    server.cli("job", "resume", number)
    server.until(number, lambda job: job["counts"]["written"] > paused["counts"]["written"])
    server.cli("job", "cancel", number)
    ended = server.until(number, lambda job: job["state"] == "cancelled")
    assert f"shoes\t{ended['counts']['written']} rows" in server.cli("table", "list").stdout
    asked = [each["detail"]["asked"] for each in changes(server) if each["what"] == "job"]
    assert asked == ["pause", "resume", "cancel"]


def test_ctrl_c_stops_the_watching_and_not_the_job(served, schema, tmp_path):
    folder = pictures(tmp_path / "pictures", 80)
    server = served(**SLOW)
    server.cli("table", "create", "shoes", "--schema", schema)
    watching = follow(server.data_dir, "ingest", "shoes", folder)
    server.until(first_job(server, watching), lambda job: job["counts"]["written"] >= 2)
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert "job 1 goes on in the server" in said
    server.ask("POST", "/admin/jobs/1/pause", Authorization=f"Bearer {server.record['token']}")
    assert server.until(1, lambda job: job["state"] == "paused")["counts"]["written"] < 80
    # The same command finds the job again and sees it to its end.
    assert server.cli("ingest", "shoes", folder).stdout == "80 rows in, 0 rejected\n"
    assert len(listed(server)) == 1


def test_the_history_is_followed(served, schema):
    server = served()
    server.cli("table", "create", "shoes", "--schema", schema)
    following = follow(server.data_dir, "changes", "--follow", "--limit", "5")
    assert "table created  shoes  v1" in following.stdout.readline()
    server.cli("table", "set", "shoes", "strict=true")
    assert "strict: False becomes True" in following.stdout.readline()
    push = [{"cmd": "add", "fields": {"id": 1, "vector": [0.5] * 512}}]
    for written in (1, 2):
        server.ask("POST", "/update/shoes/actions/bulk", push)
        line = following.stdout.readline()
        assert ("push  shoes  v1  anonymous" in line, f"{written} in" in line) == (True, True), line
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=30)


def test_a_backup_is_taken_and_restored_while_it_is_served(served, schema, tmp_path):
    server = served()
    server.cli("table", "create", "shoes", "--schema", schema)
    server.cli("ingest", "shoes", pictures(tmp_path / "pictures", 5))
    file = tmp_path / "shoes.tar"
    assert f"{file}: 5 rows and 5 pictures of table shoes" in server.cli("table", "backup", "shoes", str(file)).stdout
    assert "there already" in server.cli("table", "backup", "shoes", str(file), check=False).stderr
    assert file.stat().st_mode & 0o777 == 0o600
    done = server.cli("table", "restore", str(file), "--as", "again")
    assert done.stdout == "table again: 5 rows and 5 pictures\n"
    assert "exists" in server.cli("table", "restore", str(file), check=False).stderr
    file.write_bytes(file.read_bytes().replace(b"shoes", b"shoos", 1))
    broken = server.cli("table", "restore", str(file), "--as", "third", check=False)
    assert (broken.returncode, "shoes.tar" in broken.stderr) == (2, True)
    token = f"Bearer {server.record['token']}"
    for name in ("../shoes.tar", "/tmp/shoes.tar", ".hidden", "a/b"):  # noqa: S108  refused
        assert server.ask("POST", "/admin/tables/shoes/backup", {"file": name}, Authorization=token)[0] == 400
        assert server.ask("POST", "/admin/restore", {"file": name}, Authorization=token)[0] == 400
    assert list((server.data_dir / "backups").iterdir()) == []
    assert [each["what"] for each in changes(server)][-2:] == ["backup", "table restored"]
    (server.data_dir / "backups" / ".killed.tar.part").touch()
    server.stop()
    server.start()
    assert list((server.data_dir / "backups").iterdir()) == []
    server.stop()
    assert content(server.data_dir, "again") == content(server.data_dir, "shoes")
    # The same commands without a server.
    file.unlink()
    server.cli("table", "backup", "shoes", str(file))
    assert server.cli("table", "restore", str(file), "--as", "third").stdout.startswith("table third: 5 rows")
    server.start()


def test_admin_is_for_the_owner(served):
    server = served()
    token = server.record["token"]
    assert len(token) > 30
    right = {"Authorization": f"Bearer {token}"}
    assert server.ask("GET", "/admin/tables", **right)[0] == 200
    for wrong in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic YTpi"}):
        assert server.ask("GET", "/admin/tables", **wrong)[0] == 401
    for page in ({"Origin": "http://127.0.0.1"}, {"Sec_Fetch_Site": "same-site"}):
        assert server.ask("GET", "/admin/tables", **right, **page)[0] == 403
    assert server.ask("GET", "/changes")[0] == 200
    server.stop()
    server.start()
    assert server.record["token"] != token


def test_no_secret_is_anywhere_but_in_the_table_and_the_servers_own_file(served, tmp_path):
    secret, key = "hush-hush-secret", "hush-hush-id"
    source = {
        "field_name": "vector_source_image",
        "field_type": "STRING",
        "user_defined_param": {
            "oss_endpoint": "http://127.0.0.1:1",
            "oss_bucket": "b",
            "oss_access_key": key,
            "oss_secret": secret,
        },
    }
    vendor = template("base64", extra_fields=(STOCK,)).to_json()
    vendor["fields"] = [field for field in vendor["fields"] if field["field_name"] != "note"]
    vendor["fields"].append({**source, "field_name": "note"})
    schema = tmp_path / "secret.json"
    schema.write_text(json.dumps(vendor))
    server = served(HAVENGATE_JOBS__ATTEMPTS="1")
    token = server.record["token"]
    said = ""
    vendor["fields"] = vendor["fields"][:-2] + vendor["fields"][-1:]
    wider = tmp_path / "wider.json"
    wider.write_text(json.dumps(vendor))
    for command in (
        ["table", "create", "shoes", "--schema", str(schema)],
        ["table", "show", "shoes"],
        ["table", "rebuild", "shoes", "--schema", str(wider)],
        ["--debug", "table", "rebuild", "shoes", "--schema", str(wider), "--force"],
        ["--debug", "ingest", "shoes", "oss://b/pictures"],
        ["ingest", "shoes", "oss://id:hush-hush-id@b/pictures"],
        ["table", "set", "shoes", "source=s3://hush-hush-id:hush-hush-secret@b/x"],
        ["job", "list", "--json"],
        ["job", "show", "1", "--json"],
        ["changes", "--json"],
        ["config"],
    ):
        done = server.cli(*command, check=False)
        said += done.stdout + done.stderr
    for path in ("/changes", "/admin/tables/shoes", "/admin/jobs"):
        said += json.dumps(server.ask("GET", path, Authorization=f"Bearer {token}")[1])
    server.stop()
    said += server.log.read_text()
    assert "oss_access_key" in said
    found = [word for word in (secret, key, token) if word in said]
    assert found == []
    files = [path for path in server.data_dir.rglob("*") if path.is_file() and "tables" not in path.parts]
    assert [path.name for path in files if re.search(rb"hush-hush", path.read_bytes())] == []
    server.start()
