"""What sockets can do to a real `havengate serve`: it answers 4xx or hangs up, keeps its memory, and serves others.

tests/gateway/test_server.py has the single shapes of broken HTTP over a bare application; here are floods and mixtures.
"""

import json
import re
import selectors
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from broken_http import ANSWERED, CHUNKED, ENDLESS, LAST, POST, PROBE, REFUSED
from live_server import MIB, serving

pytestmark = pytest.mark.timeout(120)
SMUGGLED = b"GET /admin/tables HTTP/1.1\r\nHost: a\r\n\r\n"
MOST_MEMORY = 200 * MIB
PATIENCE_S = 6
"""A head has 5 seconds."""
SLOWEST_S = 30


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HAVENGATE_SERVER__CLIENT_TIMEOUT_S", str(PATIENCE_S))
        with serving(tmp_path_factory.mktemp("sockets") / "data") as server:
            yield server


@pytest.fixture(autouse=True)
def well(live):
    """After whatever was done, memory is what it was and the next client is served."""
    live.forget_peak()
    before = live.resident()
    yield
    assert statuses(exchange(live, LAST)) == [200]
    assert live.json("GET", "/readyz")["status"] == "OK"
    assert live.resident(peak=True) - before < MOST_MEMORY


def connect(live):
    return socket.create_connection(live.address, timeout=SLOWEST_S)


def exchange(live, *parts, end=False):
    """All that comes back until the server hangs up."""
    with connect(live) as connection:
        with suppress(OSError):  # it may have said enough
            for part in parts:
                connection.sendall(part)
            if end:
                connection.shutdown(socket.SHUT_WR)
        return drain(connection)


def drain(connection):
    answer = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(1 << 16):
            answer += chunk
    return answer


def statuses(answer):
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


@pytest.mark.parametrize("name", REFUSED)
def test_what_stands_behind_a_request_that_is_refused_is_not_read(live, name):
    assert statuses(exchange(live, REFUSED[name] + SMUGGLED, end=True)) == [400]


@pytest.mark.parametrize("name", ANSWERED)
def test_what_is_strange_and_no_lie_is_answered_once(live, name):
    sent, says = ANSWERED[name]
    assert statuses(exchange(live, sent, end=True)) == says


def test_pipelined_requests_are_answered_in_order(live):
    lines = [PROBE + b"X-Opensearch-Request-ID: number-%d\r\n\r\n" % n for n in range(200)]
    answer = exchange(live, b"".join(lines), LAST)
    assert re.findall(rb"number-(\d+)", answer) == [b"%d" % n for n in range(200)]
    assert statuses(answer) == [200] * 201


def test_a_client_that_has_said_all_still_gets_its_answer(live):
    assert statuses(exchange(live, PROBE + b"\r\n", end=True)) == [200]


def test_clients_that_never_take_their_answers_keep_nobody_waiting(live):
    with ExitStack() as stack:
        for _ in range(40):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(SLOWEST_S)
            connection.connect(live.address)
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 40)
        assert statuses(exchange(live, LAST)) == [200]


def test_dozens_of_slow_heads_and_bodies_beside_normal_clients(live):
    """A byte now and then: each is told 408 or hung up on in the time that a head or a body has."""
    bodies = [POST + b"Content-Length: 1000\r\n\r\n", POST + CHUNKED + b"\r\n9\r\n{"]
    slow = [b"GET /query?query=", PROBE + b"X: ", *bodies]
    with ExitStack() as stack:
        drips = [stack.enter_context(connect(live)) for _ in range(4) for _ in slow * 3]
        for place, connection in enumerate(drips):
            connection.sendall(slow[place % len(slow)])
        ended = drip(live, drips)
    # A byte may also stand where a chunk had to end.
    assert set(ended) <= {400, 408, None}
    assert ended.count(408) > 0


def drip(live, connections):
    """What each was told in the end; a normal client is served after every round of bytes."""
    told = {}
    with selectors.DefaultSelector() as ready:
        for connection in connections:
            ready.register(connection, selectors.EVENT_READ)
        while len(told) < len(connections):
            assert statuses(exchange(live, LAST)) == [200]
            for key, _ in ready.select(0.2):
                said = statuses(drain(key.fileobj))
                told[key.fileobj] = said[0] if said else None
                ready.unregister(key.fileobj)
            for key in list(ready.get_map().values()):
                with suppress(OSError):
                    key.fileobj.sendall(b"1")
    return list(told.values())


@pytest.mark.parametrize("name", ENDLESS)
def test_what_never_ends_is_cut(live, name):
    """Up to 300 MiB are offered; the server takes what it has a limit for."""
    start, more, says = ENDLESS[name]
    assert statuses(exchange(live, start, *[more] * (300 * MIB // len(more)))) in ([says], [])


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.long)])
def test_connections_that_come_and_go_by_the_thousand(live, count):
    """Opened and dropped, with nothing, half a line, or a whole request said."""
    said = (b"", b"GET /que", LAST, b"\x16\x03\x01")
    for place in range(count):
        with connect(live) as connection, suppress(OSError):
            connection.sendall(said[place % len(said)])
    wait_until_closed(live)


def wait_until_closed(live):
    """Until the server, too, has dropped what its clients have."""
    folder = Path(f"/proc/{live.worker}/fd")
    end = time.monotonic() + SLOWEST_S
    while len(list(folder.iterdir())) > 150:
        assert time.monotonic() < end, "connections are kept"
        time.sleep(0.05)


def test_nothing_of_that_was_an_error_of_the_server(live):
    """gunicorn and the gateway log what went wrong in them."""
    said = (live.data_dir / "demo" / "gateway.log").read_text()
    assert "Traceback" not in said
    assert json.loads(live.send("GET", "/healthz")[2]) == {"status": "OK"}
