"""The gateway over a cluster: the demo, the doctor, and a cluster that goes away and comes back."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest
from cluster_traffic import VENDOR, GatewayStore
from opensearch_server.__main__ import environment
from opensearch_server.fixture import VERSION
from opensearch_server.forwarder import Door
from opensearch_server.proxy import Proxy
from opensearch_server.server import node
from support import run_cli

import havengate
from engines.opensearch.pool import EXACT_ROWS
from havengate.demo.process import gateway
from havengate.doctor import Finding, examine
from havengate.setting_groups import EngineSettings
from havengate.settings import Settings


@pytest.fixture
def door(opensearch_url):
    door = Door(opensearch_url)
    yield door
    door.shut()


@pytest.fixture
def cluster(door):
    """Environment of a gateway whose cluster is behind the door."""
    return {
        "HAVENGATE_ENGINE__KIND": "opensearch",
        "HAVENGATE_ENGINE__HOSTS": door.url,
        "HAVENGATE_ENGINE__INDEX_PREFIX": f"test-{uuid.uuid4().hex[:12]}-",
    }


def status(endpoint, path):
    try:
        with urllib.request.urlopen(f"http://{endpoint}{path}", timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def eventually(check, wanted, seconds=30):
    deadline = time.monotonic() + seconds
    while (seen := check()) != wanted:
        assert time.monotonic() < deadline, f"still {seen} instead of {wanted}"
        time.sleep(0.2)


def test_the_demo_runs_on_a_cluster(tmp_path, door, cluster):
    door.open()
    done = run_cli(tmp_path, "demo", env=cluster)
    assert (tmp_path / "demo" / "contact-sheet.png").exists(), done.stdout
    listed = run_cli(tmp_path, "table", "list", env=cluster).stdout
    assert "general" in listed
    assert not (tmp_path / "tables").exists()
    found = run_cli(tmp_path, "search", "--table", "general", "--text", "motorcycle helmet", env=cluster).stdout
    assert "kodak05" in found
    doctor = run_cli(tmp_path, "doctor", env=cluster, check=False).stdout
    assert re.search(r"ok    cluster: OpenSearch \d+\.\d+\.\d+ with k-NN", doctor)
    for name in ("general", "clothes"):
        run_cli(tmp_path, "table", "drop", name, "--yes", env=cluster)


def test_the_doctor_says_what_is_wrong_with_the_cluster(tmp_path):
    def found(answer):
        with Proxy() as server:
            server.trouble = answer
            settings = Settings(data_dir=tmp_path, engine=EngineSettings(kind="opensearch", hosts=server.url))
            return next(finding for finding in examine(settings) if finding.what == "cluster")

    info = {"version": {"distribution": "opensearch", "number": "2.11.0"}}
    assert found(lambda _: (200, info)).detail.startswith("OpenSearch 2.11.0 is too old")
    info["version"]["number"] = "3.6.0"
    bare = found(lambda path: (400, {"error": "no handler"}) if "_knn" in path else (200, info))
    assert bare == Finding("cluster", False, "OpenSearch has no k-NN plugin; install opensearch-knn on every node")
    assert "HAVENGATE_ENGINE__USER" in found(lambda _: (401, "Unauthorized")).detail


@pytest.mark.long
def test_a_server_without_the_plugin(tmp_path):
    with node(tmp_path / "server", version=VERSION, knn=False) as url:
        environment = {"HAVENGATE_ENGINE__KIND": "opensearch", "HAVENGATE_ENGINE__HOSTS": url}
        done = run_cli(tmp_path, "doctor", env=environment, check=False)
    assert (done.returncode, "no k-NN plugin; install" in done.stdout) == (1, True), done.stdout


def test_a_command_with_a_server_of_its_own_imports_the_package_and_not_its_tests(tmp_path, monkeypatch):
    """As `make serve ENGINE=opensearch` does: a script, whose own folder is what Python looks through first."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    script = tmp_path / "command.py"
    script.write_text("import flask; print(flask.Flask('havengate').root_path)", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script], env=environment("http://x"), capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()) == Path(havengate.__file__).parent


def test_readiness_follows_the_cluster(tmp_path, door, cluster, monkeypatch):
    for name, value in cluster.items():
        monkeypatch.setenv(name, value)
    doctor = run_cli(tmp_path, "doctor", check=False)
    assert (doctor.returncode, "FAIL  cluster:" in doctor.stdout) == (1, True)
    assert "cannot be reached" in doctor.stdout
    opening = threading.Timer(6, door.open)
    opening.start()
    with gateway(tmp_path) as endpoint:  # comes back once the gateway, started without its cluster, is ready
        opening.join()
        door.shut()
        eventually(lambda: status(endpoint, "/readyz")[0], 503)
        assert status(endpoint, "/healthz")[0] == 200
        code, answer = status(endpoint, "/query?query=config=format:json%26%26query=vector:'a'%26%26cluster=general")
        assert code == 200
        assert "OpenSearch cannot be reached" in answer["errors"][0]["message"]
        door.open()
        eventually(lambda: status(endpoint, "/readyz")[0], 200)


def test_the_recall_of_the_graph_is_told_while_it_serves(tmp_path, door, cluster, monkeypatch):
    door.open()
    (tmp_path / "schema.json").write_text(json.dumps(VENDOR))
    for name, value in (cluster | {"HAVENGATE_RECALL__SHARE": "1"}).items():
        monkeypatch.setenv(name, value)
    run_cli(tmp_path, "table", "create", "many", "--schema", str(tmp_path / "schema.json"))
    with gateway(tmp_path) as endpoint:
        store = GatewayStore(endpoint, "many")
        for first in range(0, EXACT_ROWS + 1, 5_000):
            store.upsert(dict.fromkeys(range(first, min(first + 5_000, EXACT_ROWS + 1)), 0))
        plan = {"query": {"vector": {"index": "vector", "vectors": [[0.1] * 8], "n": 20}}, "limit": 20}
        request = urllib.request.Request(f"http://{endpoint}/v1/tables/many/search", json.dumps(plan).encode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer)["certificates"][0]["strategy"] == "ann"

        def measured():
            with urllib.request.urlopen(f"http://{endpoint}/metrics", timeout=30) as answer:
                return re.findall(r"^havengate_recall_count\{(.*)\} (.*)$", answer.read().decode(), re.MULTILINE)

        eventually(measured, [('index="vector",table="many"', "1.0")])
    run_cli(tmp_path, "table", "drop", "many", "--yes")


def test_a_table_that_others_changed_is_told_and_dropped_and_the_others_serve(tmp_path, door, cluster, monkeypatch):
    door.open()
    schema = tmp_path / "schema.json"
    vector = {"field_name": "v", "field_type": "FLOAT", "multi_value": True}
    schema.write_text(json.dumps({"fields": [{"field_name": "id", "field_type": "INT64"}, vector]}))
    for name in ("bad", "good"):
        run_cli(tmp_path, "table", "create", name, "--schema", str(schema), env=cluster)
    index = f"{cluster['HAVENGATE_ENGINE__INDEX_PREFIX']}bad-g1"
    change = urllib.request.Request(f"{door.url}/{index}/_mapping", b'{"dynamic": true}', method="PUT")
    change.add_header("Content-Type", "application/json")
    urllib.request.urlopen(change, timeout=30).close()
    listed = run_cli(tmp_path, "table", "list", env=cluster, check=False)
    assert listed.returncode == 1
    bad, good = listed.stdout.splitlines()
    assert "cannot be used" in bad
    assert "drop the table and make it again" in bad
    assert good.startswith("good\t0 rows")
    for name, value in cluster.items():
        monkeypatch.setenv(name, value)
    with gateway(tmp_path) as endpoint:
        assert status(endpoint, "/readyz")[0] == 200
    for name in ("bad", "good"):
        run_cli(tmp_path, "table", "drop", name, "--yes", env=cluster)
