"""Two gateways with what docs/operations.md says that they have to have in common, and nothing else."""

import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest
from served import Served
from support import photo_row, run_cli

from schemas.templates import template

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
PASSWORD = "a password"


@contextmanager
def embed_server(folder):
    """Its URL."""
    command = [sys.executable, "-m", "havengate", "embed-server", "--model", "builtin", "--port", "0"]
    environment = os.environ | {"HAVENGATE_DATA_DIR": str(folder)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def in_common(**places):
    """The document's block with the places of this machine in place of its own."""
    (block,) = re.findall(r"```env\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    shown = dict(line.split("=", 1) for line in block.splitlines())
    assert places.keys() <= shown.keys()
    return shown | places


@pytest.fixture
def settings(tmp_path, opensearch_url, store):
    store.fill("pictures", {})
    with embed_server(tmp_path / "models") as models:
        yield in_common(
            HAVENGATE_ENGINE__HOSTS=opensearch_url,
            HAVENGATE_ENGINE__INDEX_PREFIX=f"test-{uuid.uuid4().hex[:12]}-",
            # One node has no place for a copy.
            HAVENGATE_ENGINE__REPLICAS="0",
            HAVENGATE_BLOBS__ENDPOINT=store.endpoint,
            HAVENGATE_AUTH__FILE=str(tmp_path / "users.json"),
            HAVENGATE_EMBEDDING__URL=models,
        ) | {"HAVENGATE_BLOBS__ACCESS_KEY_ID": "id", "HAVENGATE_BLOBS__ACCESS_KEY_SECRET": "secret"}


@pytest.fixture
def gateways(tmp_path, settings):
    run_cli(tmp_path, "user", "add", "feed", "--role", "write", env=settings, input=f"{PASSWORD}\n")
    running = [Served(tmp_path / name, **settings) for name in ("one", "two")]
    yield running
    for each in running:
        each.stop()


def until_known(gateway, headers):
    """Returns when a gateway has seen a table that another process made: within two seconds (docs/opensearch.md)."""
    deadline = time.monotonic() + 30
    while gateway.ask("POST", "/update/photos/actions/bulk", [], **headers)[1]["status"] != "OK":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_one_gateway_took_the_other_finds_shows_and_changes(gateways, settings, tmp_path):
    one, two = gateways
    basic = {"Authorization": "Basic " + base64.b64encode(f"feed:{PASSWORD}".encode()).decode()}
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(template("base64").to_json()))
    one.cli("table", "create", "photos", "--schema", str(schema), env=settings)
    for gateway in gateways:
        until_known(gateway, basic)
    rows = [{"cmd": "add", "fields": photo_row(key, colour)} for key, colour in ((1, "red"), (2, "blue"))]
    pushed = one.ask("POST", "/update/photos/actions/bulk", rows, **basic)[1]
    assert pushed["status"] == "OK", json.dumps(pushed)
    query = {"query": {"vector": {"index": "vector", "text": "red", "n": 2}}}
    status, found = two.ask("POST", "/v1/tables/photos/search", query, **basic)
    assert (status, {hit["pk"] for hit in found["hits"]}) == (200, {"1", "2"})
    token = one.cli("images", "token", "photos", env=settings).stdout.splitlines()[0]
    with urllib.request.urlopen(f"{two.record['url']}/images/photos/1?token={token}", timeout=60) as answer:
        assert answer.read()[:2] == b"\xff\xd8"
    deletion = [{"cmd": "delete", "fields": {"id": 1}}]
    deleted = two.ask("POST", "/update/photos/actions/bulk", deletion, **basic)[1]
    assert deleted["status"] == "OK", json.dumps(deleted)
    body = {"tableName": "photos", "ids": ["1", "2"]}
    assert [row["id"] for row in one.ask("POST", "/vector-service/fetch", body, **basic)[1]["result"]] == [2]
    one.cli("table", "drop", "photos", "--yes", env=settings)
