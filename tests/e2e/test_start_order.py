"""Processes that start before what they need: they wait, say so, and go on by themselves when it comes."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing

import pytest
from blob_places import BUCKET
from opensearch_server.forwarder import Door
from served import Served
from store_double import Answer
from support import photo_row, run_cli

from ingest.jobs.store import JobStore

QUERY = "query=config=format:json%26%26query=vector:'shoe%26modal=text'%26%26cluster=shoes"


@pytest.fixture
def started(tmp_path):
    """Starts `havengate ...` in a process that ends with the test, with exit code 0."""
    running = []

    def start(data_dir, *arguments, **env):
        command = [sys.executable, "-m", "havengate", *arguments]
        environment = os.environ | {"HAVENGATE_DATA_DIR": str(data_dir)} | env
        with (tmp_path / f"{arguments[0]}.log").open("w") as log:
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=log)
        running.append(process)
        return process

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=60)
    assert [process.returncode for process in running] == [0] * len(running)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def eventually(condition):
    while not condition():
        time.sleep(0.05)


def test_a_gateway_is_ready_when_its_model_server_comes(tmp_path, schema, started):
    run_cli(tmp_path / "data", "table", "create", "shoes", "--schema", schema)
    port = free_port()
    server = Served(tmp_path / "data", HAVENGATE_EMBEDDING__URL=f"http://127.0.0.1:{port}")
    try:
        assert server.ask("GET", "/readyz")[0] == 503
        assert server.ask("GET", "/healthz")[0] == 200
        started(tmp_path / "models", "embed-server", "--model", "builtin", "--port", str(port))
        eventually(lambda: server.ask("GET", "/readyz")[0] == 200)
        status, answer = server.ask(
            "GET", "/query?query=config=format:json%26%26query=vector:'shoe%26modal=text'%26%26cluster=shoes"
        )
        assert (status, answer["errors"], answer["status"]) == (200, [], "OK")
    finally:
        assert server.stop() == 0


def push(server, key):
    body = [{"cmd": "add", "fields": photo_row(key, "red")}]
    return server.ask("POST", "/update/shoes/actions/bulk", body)


def test_a_gateway_starts_before_its_bucket_of_pictures(tmp_path, schema, store):
    run_cli(tmp_path / "data", "table", "create", "shoes", "--schema", schema)
    store.fill(BUCKET, {})
    store.fault = lambda _: Answer(404, "NoSuchBucket")
    server = Served(
        tmp_path / "data",
        HAVENGATE_BLOBS__URL=f"s3://{BUCKET}/blobs",
        HAVENGATE_BLOBS__ENDPOINT=store.endpoint,
        HAVENGATE_BLOBS__ACCESS_KEY_ID="the-id",
        HAVENGATE_BLOBS__ACCESS_KEY_SECRET="the-secret",
    )
    try:
        eventually(lambda: server.ask("GET", "/readyz")[0] == 200)
        assert "there is no such bucket" in json.dumps(push(server, 1))
        store.fault = None
        assert push(server, 1)[1]["status"] == "OK"
        _, rows = server.ask("POST", "/vector-service/fetch", {"tableName": "shoes", "ids": [1]})
        assert rows, rows
    finally:
        assert server.stop() == 0
    assert any(asked.method == "PUT" and asked.path.startswith(f"/{BUCKET}/blobs/shoes/") for asked in store.asked)
    assert "the-secret" not in server.log.read_text()


def test_a_worker_and_a_gateway_wait_for_a_cluster_that_comes_later(tmp_path, opensearch_url, started, schema):
    door = Door(opensearch_url)
    prefix = f"test-{base64.b32encode(os.urandom(5)).decode().lower()}-"
    here = {"HAVENGATE_ENGINE__KIND": "opensearch", "HAVENGATE_ENGINE__INDEX_PREFIX": prefix}
    run_cli(tmp_path / "data", "table", "create", "shoes", "--schema", schema, env=here | hosts(opensearch_url))
    (tmp_path / "pictures").mkdir()
    photo = base64.b64decode(photo_row(1, "red")["vector_source_image"])
    (tmp_path / "pictures" / "1.png").write_bytes(photo)
    with closing(JobStore(tmp_path / "data")) as jobs, ExitStack() as end:
        job = jobs.add("ingest", "shoes", {"source": str(tmp_path / "pictures"), "max_rejects": None}, "test").id
        end.callback(door.shut)
        away = here | hosts(door.url)
        worker = started(tmp_path / "data", "worker", **away)
        server = Served(tmp_path / "data", HAVENGATE_JOBS__IN_SERVER="false", **away)
        try:
            assert server.ask("GET", "/readyz")[0] == 503
            eventually(lambda: "no jobs are run for" in (tmp_path / "worker.log").read_text())
            assert (worker.poll(), jobs.job(job).state) == (None, "queued")
            door.open()
            eventually(lambda: server.ask("GET", "/readyz")[0] == 200)
            eventually(lambda: jobs.job(job).state == "done")
            assert jobs.job(job).counts.written == 1
        finally:
            assert server.stop() == 0
            run_cli(tmp_path / "data", "table", "drop", "shoes", "--yes", env=here | hosts(opensearch_url))


def hosts(url):
    return {"HAVENGATE_ENGINE__HOSTS": url}
