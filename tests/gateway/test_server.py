"""The server on a real socket: long lines, broken HTTP, slow clients, starting and ending."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest

from gateway.server import serve
from havengate.errors import SettingsError
from havengate.settings import Settings

SCRIPT = Path(__file__).with_name("echo_site.py")
MIB = 1 << 20


def start(factory, data_dir, port=0):
    command = [sys.executable, str(SCRIPT), factory, str(data_dir), str(port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def port_of(process):
    return int(re.fullmatch(r"havengate serves http://127\.0\.0\.1:(\d+)\n", process.stdout.readline())[1])


def stop(process):
    process.terminate()
    process.communicate(timeout=30)
    return process.returncode


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def port(data_dir):
    process = start("open_echo", data_dir)
    yield port_of(process)
    assert stop(process) == 0


def exchange(port, *parts, then_end=False):
    """Sends parts as they are, returns (status, body as JSON); None when nothing came back."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            if then_end:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server has said enough
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]), json.loads(body)) if head else None


def get_line(size):
    line = b"GET /query?query=" + b"A" * size
    return line[: size - len(b" HTTP/1.1")] + b" HTTP/1.1"


@pytest.mark.parametrize("size", [100, 65_536, 1_400_000, 6 * MIB])
def test_a_request_line_arrives_whole_up_to_the_limit(port, size):
    line = get_line(size)
    status, seen = exchange(port, line, b"\r\nHost: 127.0.0.1:1/\r\nConnection: close\r\n\r\n")
    assert (status, seen["query"]) == (200, len(line) - len(b"GET /query? HTTP/1.1"))


def test_a_line_over_the_limit_is_414(port):
    status, body = exchange(port, get_line(6 * MIB + 1), b"\r\nHost: a\r\n\r\n")
    assert (status, body["code"]) == (414, "414")


def test_a_line_without_end_is_cut_while_it_comes(port):
    resident = memory(worker_pid(port))
    status, body = exchange(port, b"GET /query?query=", *[b"A" * MIB] * 200)
    assert (status, body["code"]) == (414, "414")
    assert memory(worker_pid(port)) - resident < 60 * MIB


def worker_pid(port):
    return exchange(port, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")[1]["pid"]


def memory(pid):
    """Bytes that the process has held at most."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"\r\n\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/1.1 x\r\n\r\n", 400),
        (b"GET /?a b HTTP/1.1\r\n\r\n", 400),
        (b"GET /?\xff HTTP/1.1\r\n\r\n", 400),
        (b"GET /\n\n", 400),
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: strange\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nExpect: much\r\n\r\n", 417),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTT", 408),
        (b"GET /?" + b"A" * 30_000, 408),
    ],
)
def test_what_is_no_http_is_refused_in_json(port, sent, status):
    answered, body = exchange(port, sent)
    assert (answered, body["code"]) == (status, str(status))
    assert 0 < len(body["message"]) < 300


def test_a_header_cannot_move_the_application(port):
    request = b"GET / HTTP/1.1\r\nSCRIPT_NAME: /x\r\nConnection: close\r\n\r\n"
    assert exchange(port, request)[0] == 200


def test_a_client_that_goes_away_early_leaves_the_server_well(port):
    assert exchange(port, b"GET /?half", then_end=True) is None
    assert (
        exchange(port, b"POST / HTTP/1.1\r\nContent-Length: 9\r\nConnection: close\r\n\r\nabc", then_end=True)[0] == 200
    )


def test_one_connection_serves_many_requests(port):
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    seen = []
    for size in (10, 100_000, 10):
        connection.request("POST", f"/query?query={'A' * size}", body=b"b" * size)
        seen.append(json.loads(connection.getresponse().read()))
    connection.close()
    assert [(answer["query"], answer["body"]) for answer in seen] == [(16, 10), (100_006, 100_000), (16, 10)]


def test_requests_sent_in_one_go_are_answered_one_by_one(port):
    request = b"GET /?one HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request + request.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n"))
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.count(b"HTTP/1.1 200 OK") == 2


def test_the_server_file_says_where_and_who_for_the_owner_only(port, data_dir):
    path = data_dir / "server.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["url"] == f"http://127.0.0.1:{port}"
    os.kill(json.loads(path.read_text())["pid"], 0)


def test_a_server_ends_when_told_and_takes_its_file_along(tmp_path):
    process = start("open_echo", tmp_path)
    port_of(process)
    assert (tmp_path / "server.json").exists()
    assert stop(process) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_runs_is_answered_before_the_site_is_closed(tmp_path):
    process = start("open_waiting", tmp_path)
    port = port_of(process)
    for _ in range(20):
        assert exchange(port, b"GET /now HTTP/1.1\r\nConnection: close\r\n\r\n")[0] == 200
    with ThreadPoolExecutor(8) as clients:
        answers = [clients.submit(exchange, port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(8)]
        wait_for(lambda: len(list(tmp_path.glob("started-*"))) == 4)
        process.terminate()
        wait_for(lambda: refused(port))
        (tmp_path / "go").touch()
        assert [answer.result() for answer in answers] == [(200, {"closed": False})] * 8
    process.communicate(timeout=30)
    assert process.returncode == 0


def wait_for(condition):
    while not condition():
        time.sleep(0.01)


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=30).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_worker_that_is_told_to_end_is_replaced(tmp_path):
    process = start("open_echo", tmp_path)
    port = port_of(process)
    first = worker_pid(port)
    os.kill(first, signal.SIGTERM)
    wait_for(lambda: not Path(f"/proc/{first}").exists())
    wait_for(lambda: not refused(port))
    assert worker_pid(port) != first
    assert stop(process) == 0


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"])
def test_clients_that_stall_keep_nobody_waiting(port, sent):
    stalled = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(48)]
    try:
        for connection in stalled:
            connection.sendall(sent)
        for path in (b"/healthz", b"/"):
            assert exchange(port, b"GET " + path + b" HTTP/1.1\r\nConnection: close\r\n\r\n")[0] == 200
        for connection in stalled:
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):  # they are still being waited for
                connection.recv(1)
    finally:
        for connection in stalled:
            connection.close()


def test_a_worker_that_dies_is_replaced(tmp_path):
    process = start("open_echo", tmp_path)
    port = port_of(process)
    first = worker_pid(port)
    os.kill(first, 9)
    assert worker_pid(port) != first
    assert stop(process) == 0


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        ("open_busy", "DataFolderBusy: the data folder is in use by process 1\n"),
        ("open_broken", "EngineError: the worker could not start: ZeroDivisionError: \n"),
    ],
)
def test_what_keeps_the_worker_from_starting_ends_the_server(tmp_path, factory, says):
    out, err = start(factory, tmp_path).communicate(timeout=30)
    assert out == ""
    assert err.endswith(says)
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_named(port, tmp_path):
    _, err = start("open_echo", tmp_path, port).communicate(timeout=30)
    assert err.startswith(f"SettingsError: cannot serve on 127.0.0.1 port {port}")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - what is refused
def test_other_machines_are_not_served_without_users(tmp_path, host):
    with pytest.raises(SettingsError, match="HAVENGATE_AUTH__USERS"):
        serve(Settings(data_dir=tmp_path), host, 0, app_factory=None)


@pytest.mark.parametrize("port", [-1, 65_536, 99_999])
def test_a_port_that_cannot_be_is_named(tmp_path, port):
    with pytest.raises(SettingsError, match=f"port {port} is outside 0 to 65535"):
        serve(Settings(data_dir=tmp_path), "127.0.0.1", port, app_factory=None)


def test_a_host_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(SettingsError, match="no address 'no host'"):
        serve(Settings(data_dir=tmp_path), "no host", 0, app_factory=None)
