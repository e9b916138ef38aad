"""The load tool: that it finds wrong answers, and that a gateway gives none under it."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

ROOT = Path(__file__).parents[2]
LOAD = ROOT / "bench" / "load"
SEARCHES = {"text", "text, Chinese", "text, filter", "picture, GET", "picture, POST"}
SCENARIOS = SEARCHES | {"push", "fetch"}
GROWTH = 1.15
"""The last minute's memory over that of the second: caches have limits, and these are what they fill."""


def load(tmp_path, *options, engine="embedded", **env):
    """What the tool counted; its own judgement is asked for by the caller."""
    told = tmp_path / "told.json"
    command = [sys.executable, LOAD / "run.py", "--engine", engine, "--json", told, *options]
    done = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False)
    assert told.exists(), done.stderr
    return done, json.loads(told.read_text())


def errors(told):
    return told["errors"] | {name: seen for name, seen in told["scenarios"].items() if seen["errors"]}


@pytest.mark.parametrize("engine", ["embedded", "opensearch"])
def test_ten_seconds_of_load_are_answered_without_an_error(tmp_path, engine, request):
    hosts = {}
    if engine == "opensearch":
        hosts = {"HAVENGATE_ENGINE__HOSTS": request.getfixturevalue("opensearch_url")}
    done, told = load(tmp_path, "--clients", "4", "--minutes", "0.17", "--rows", "500", engine=engine, **hosts)
    assert errors(told) == {}
    assert done.returncode == 0, done.stderr
    assert told["scenarios"].keys() == SCENARIOS
    assert all(seen["requests"] and not seen["busy"] for seen in told["scenarios"].values())
    stages = {(row["dialect"], row["stage"]) for row in told["stages"]}
    assert stages >= {("ha", stage) for stage in ("parse", "embed", "engine", "format")} | {("push", "write")}
    assert told["memory"]["max"] >= told["memory"]["end"] > 0


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ["embedded", "opensearch"])
def test_five_minutes_of_32_clients_cost_no_error_and_no_memory(tmp_path, engine, request):
    hosts = {"HAVENGATE_ENGINE__HOSTS": request.getfixturevalue("opensearch_url")} if engine == "opensearch" else {}
    done, told = load(tmp_path, "--clients", "32", "--minutes", "5", engine=engine, **hosts)
    print(done.stdout)
    assert errors(told) == {}
    assert not any(seen["busy"] for seen in told["scenarios"].values())
    assert told["memory"]["grown"] < GROWTH, told["memory"]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ["embedded", "opensearch"])
def test_200_clients_are_answered_or_told_to_come_again(tmp_path, engine, request):
    """Wrong is also HTTP 5xx, but for a 503 that says when to come again, and an answer that takes over a minute."""
    hosts = {"HAVENGATE_ENGINE__HOSTS": request.getfixturevalue("opensearch_url")} if engine == "opensearch" else {}
    done, told = load(tmp_path, "--clients", "200", "--minutes", "2", engine=engine, **hosts)
    print(done.stdout)
    assert errors(told) == {}
    assert all(seen["requests"] > seen["busy"] for seen in told["scenarios"].values())


class Liar(StreamRequestHandler):
    """Answers all alike: the server's ``told`` (status, headers, body). Takes request lines of any length."""

    def handle(self):
        while self.rfile.readline():
            size = 0
            while (line := self.rfile.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                size = int(value) if name.lower() == b"content-length" else size
            self.rfile.read(size)
            status, headers, body = self.server.told
            data = json.dumps(body).encode()
            lines = [f"HTTP/1.1 {status} So", *(f"{name}: {value}" for name, value in headers.items())]
            self.wfile.write("\r\n".join([*lines, f"Content-Length: {len(data)}", "", ""]).encode() + data)


@pytest.fixture
def asked(tmp_path):
    """What the clients say of a server that answers everything alike, in two seconds."""
    server = ThreadingTCPServer(("127.0.0.1", 0), Liar)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()

    def ask(status, headers, body):
        server.told = status, headers, body
        results = tmp_path / "results.json"
        command = [sys.executable, "-m", "locust", "-f", LOAD / "scenarios.py", "--headless", "--results", results]
        command += ["-u", "4", "-r", "4", "-t", "2s", "--host", f"http://127.0.0.1:{server.server_address[1]}"]
        environment = os.environ | {"PYTHONPATH": str(LOAD)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert results.exists(), done.stderr
        return json.loads(results.read_text())

    yield ask
    server.shutdown()
    thread.join()
    server.server_close()


def kinds(told):
    return {kind.partition(": ")[2] for kind in told["errors"]}


def test_answers_that_are_well_and_wrong_are_errors(asked):
    items = [{"fields": {"cate_id": "77"}}] * 10
    told = asked(200, {}, {"result": {"items": items}, "errors": [], "status": "ERROR"})
    assert {kind.partition(": ")[0] for kind in told["errors"]} == {"text, filter", "push", "fetch"}
    assert "a hit that the filter leaves out" in " ".join(kinds(told))
    empty = asked(200, {}, {"result": {"items": []}, "errors": [], "status": "OK"})
    assert "0 hits instead of 10" in " ".join(kinds(empty))


def test_being_busy_is_no_error_and_any_other_refusal_is(asked):
    busy = asked(200, {}, {"errors": [{"code": 11001}]})
    assert busy["errors"] == {}
    assert all(seen["busy"] == seen["requests"] for seen in busy["scenarios"].values())
    assert asked(503, {"Retry-After": "1"}, {})["errors"] == {}
    assert "HTTP 503" in " ".join(kinds(asked(503, {}, {})))
    assert "code 30001" in " ".join(kinds(asked(200, {}, {"errors": [{"code": 30001}]})))


def test_percentiles_are_read_from_histograms(monkeypatch):
    monkeypatch.syspath_prepend(str(LOAD))
    import stages

    text = "# TYPE havengate_stage_seconds histogram\n" + "".join(
        f'havengate_stage_seconds_bucket{{dialect="ha",stage="parse",le="{end}"}} {count}\n'
        for end, count in (("0.001", 50), ("0.01", 90), ("0.1", 99), ("+Inf", 100))
    )
    (row,) = stages.read(text)
    assert (row["dialect"], row["stage"], row["count"]) == ("ha", "parse", 100)
    assert row["p50"] == pytest.approx(1.0)
    assert row["p99"] == pytest.approx(100.0)
    assert stages.quantile([(0.001, 0), (float("inf"), 4)], 0.5) == 0.001
    assert stages.quantile([(float("inf"), 0)], 0.5) == 0.0


def test_a_table_that_is_too_small_is_refused():
    done = subprocess.run([sys.executable, LOAD / "run.py", "--rows", "5"], capture_output=True, text=True, check=False)
    assert (done.returncode, "at least 500" in done.stderr) == (2, True)
