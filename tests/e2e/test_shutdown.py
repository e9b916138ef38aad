"""Ends in the middle of work: what was begun is answered, jobs go on behind their checkpoint, the exit code is 0."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
from served import Served
from support import photo_row, run_cli

import examples
from engines.embedded.engine import EmbeddedEngine
from ingest.jobs.store import JobStore
from schemas.templates import template

PICTURES = sorted((examples.folder() / "clothes").glob("*.jpg"))
SLOW = {"HAVENGATE_EMBEDDING__BATCH": "2", "HAVENGATE_JOBS__WORKERS": "1"}
"""Small batches, so that there is a middle."""


@pytest.fixture
def shoes(tmp_path):
    """A data folder with the table `shoes`, and a folder of forty pictures."""
    (tmp_path / "schema.json").write_text(json.dumps(template("base64").to_json()))
    run_cli(tmp_path / "data", "table", "create", "shoes", "--schema", str(tmp_path / "schema.json"))
    (tmp_path / "pictures").mkdir()
    for path in PICTURES[:40]:
        shutil.copy(path, tmp_path / "pictures")
    return tmp_path / "data"


class Client(threading.Thread):
    """Asks again and again, each time over a connection of its own, until nobody listens any more."""

    def __init__(self, url, request):
        super().__init__()
        self.url, self.request = url, request
        self.answers, self.broken = [], []

    def run(self):
        for number in range(100_000):
            try:
                with urllib.request.urlopen(self.request(self.url, number), timeout=60) as answer:
                    self.answers.append((number, json.load(answer)))
            except urllib.error.HTTPError as error:
                with error:
                    self.answers.append((number, error.code))
            except urllib.error.URLError as error:
                if isinstance(error.reason, ConnectionRefusedError):
                    return
                self.broken.append(repr(error))
                return
            except (OSError, ValueError) as error:
                self.broken.append(repr(error))
                return


def search(url, _):
    return urllib.request.Request(
        url + "/query?query=config=format:json%26%26query=vector:'shoe%26modal=text'%26%26cluster=shoes"
    )


def push(url, number):
    row = photo_row(f"pushed-{number}", "red") | {"id": 1_000_000 + number}
    body = json.dumps([{"cmd": "add", "fields": row}]).encode()
    headers = {"Content-Type": "application/json"}
    return urllib.request.Request(url + "/update/shoes/actions/bulk", body, headers, method="POST")


def eventually(condition):
    while not condition():
        time.sleep(0.02)


@pytest.mark.parametrize(
    "second", [signal.SIGTERM, *(pytest.param(each, marks=pytest.mark.long) for each in (None, signal.SIGINT))]
)
def test_a_server_that_is_told_to_end_answers_what_was_begun(shoes, tmp_path, second):
    server = Served(shoes, **SLOW)
    url = server.record["url"]
    ingest = subprocess.Popen(
        [sys.executable, "-m", "havengate", "ingest", "shoes", str(tmp_path / "pictures")],
        env=os.environ | {"HAVENGATE_DATA_DIR": str(shoes)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    clients = [Client(url, search), Client(url, search), Client(url, push)]
    for client in clients:
        client.start()
    store = JobStore(shoes)
    eventually(lambda: any(job.counts.written >= 4 for job in store.jobs()))
    backup = threading.Thread(target=lambda: backups.append(server.backup("shoes", "shoes.backup")))
    backups = []
    backup.start()
    eventually(lambda: all(client.answers for client in clients) and list((shoes / "backups").glob("*shoes.backup*")))
    server.signal(signal.SIGTERM)
    if second is not None:
        server.signal(second)
    for client in clients:
        client.join()
    backup.join()
    ingest.wait(timeout=60)
    assert server.stop() == 0
    assert [client.broken for client in clients] == [[], [], []]
    assert {answer["status"] for client in clients for _, answer in client.answers} == {"OK"}
    assert backups[0][0] == 201
    (job,) = store.jobs()
    store.close()
    # Between two batches, or it was faster.
    assert job.state in ("queued", "done")
    assert "Traceback" not in server.log.read_text()
    server.start()
    job = server.until(job.id, lambda each: each["state"] == "done")
    assert (job["counts"]["read"], job["counts"]["written"]) == (40, 40)
    assert server.stop() == 0
    acknowledged = {str(1_000_000 + number) for number, answer in clients[2].answers if answer["status"] == "OK"}
    with EmbeddedEngine.open(shoes) as engine:
        assert acknowledged <= {row.pk for row in engine.scan("shoes", None, 10_000)}
    run_cli(shoes, "table", "restore", str(shoes / "backups" / "shoes.backup"), "--as", "again")


@pytest.mark.parametrize("second", [None, signal.SIGTERM])
def test_a_worker_that_is_told_to_end_leaves_its_job_behind_a_checkpoint(shoes, tmp_path, second):
    store = JobStore(shoes)
    number = store.add("ingest", "shoes", {"source": str(tmp_path / "pictures"), "max_rejects": None}, "test").id
    worker = subprocess.Popen(
        [sys.executable, "-m", "havengate", "worker"],
        env=os.environ | {"HAVENGATE_DATA_DIR": str(shoes)} | SLOW,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: store.job(number).counts.written >= 4)
    worker.send_signal(signal.SIGTERM)
    if second is not None:
        worker.send_signal(second)
    _, said = worker.communicate(timeout=60)
    # Two signals that come together may be one; the second of two ends it as Ctrl-C does.
    assert worker.returncode in ((0,) if second is None else (0, 130))
    assert "Traceback" not in said
    left = store.job(number)
    assert left.checkpoint
    assert left.state == ("queued" if second is None else left.state)
    run_cli(shoes, "worker", "--once")
    done = store.job(number)
    store.close()
    assert (done.state, done.counts.read, done.counts.written) == ("done", 40, 40)
