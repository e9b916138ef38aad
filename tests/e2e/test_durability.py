"""kill -9 of the server while a client pushes: what was acknowledged is there."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
from support import run_cli

from schemas.templates import template


def start(data_dir):
    environment = os.environ | {"HAVENGATE_DATA_DIR": str(data_dir)}
    server = subprocess.Popen(
        [sys.executable, "-m", "havengate", "serve", "--port", "0"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            info = json.loads((data_dir / "server.json").read_text())
            if info["pid"] == server.pid:
                urllib.request.urlopen(f"{info['url']}/healthz", timeout=5).close()
                return server, info["url"]
        except (OSError, ValueError):
            pass
        assert server.poll() is None, "the server ended by itself"
        time.sleep(0.05)
    raise AssertionError("the server did not start")


def call(url, path, body):
    request = urllib.request.Request(
        url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def push_until_it_dies(url, first, acknowledged):
    key = first
    while True:
        batch = [
            {"cmd": "add", "fields": {"id": number, "cate_id": number % 7, "vector": [number % 13] * 512}}
            for number in range(key, key + 5)
        ]
        try:
            answer = call(url, "/update/rows/actions/bulk", batch)
        except (OSError, ValueError, urllib.error.URLError):
            return
        assert answer["status"] == "OK"
        acknowledged.extend(range(key, key + 5))
        key += 5


def kill_while_pushing(data_dir, round_number, acknowledged, rng):
    server, url = start(data_dir)
    before = len(acknowledged)
    client = threading.Thread(target=push_until_it_dies, args=(url, round_number * 1_000_000, acknowledged))
    client.start()
    while len(acknowledged) < before + 5:
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 0.7))
    server.send_signal(signal.SIGKILL)
    server.wait()
    client.join(30)
    assert not client.is_alive()


def check(data_dir, rounds, seed):
    schema = data_dir.parent / "schema.json"
    schema.write_text(json.dumps(template("push").to_json()))
    run_cli(data_dir, "table", "create", "rows", "--schema", str(schema))
    rng = random.Random(seed)
    acknowledged = []
    for round_number in range(rounds):
        kill_while_pushing(data_dir, round_number, acknowledged, rng)
    server, url = start(data_dir)
    try:
        for place in range(0, len(acknowledged), 1000):
            ids = [str(key) for key in acknowledged[place : place + 1000]]
            body = {"tableName": "rows", "ids": ids, "includeVector": True}
            found = call(url, "/vector-service/fetch", body)["result"]
            assert [row["id"] for row in found] == [int(key) for key in ids]
            assert all(row["vector"][0] == row["id"] % 13 for row in found)
    finally:
        server.terminate()
        server.wait(30)


def test_no_acknowledged_row_is_lost(tmp_path):
    check(tmp_path / "data", rounds=3, seed=1)


@pytest.mark.long
def test_no_acknowledged_row_is_lost_in_ten_kills(tmp_path):
    check(tmp_path / "data", rounds=10, seed=2)
