"""What sockets can do to a real `havengate serve`: it answers 4xx or hangs up, keeps its memory, and serves others.

tests/gateway/test_server.py has the single shapes of broken HTTP over a bare application; here are floods and mixtures.
"""

import json
import re
import selectors
import socket
import time
from contextlib import ExitStack, suppress

import pytest
from live_server import MIB, serving

pytestmark = pytest.mark.timeout(120)
PROBE = b"GET /network/active HTTP/1.1\r\nHost: a\r\n"
LAST = PROBE + b"Connection: close\r\n\r\n"
POST = b"POST /query HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
SMUGGLED = b"GET /admin/tables HTTP/1.1\r\nHost: a\r\n\r\n"
MOST_MEMORY = 200 * MIB
SLOWEST_S = 30
"""A head may take 5 seconds, a body 20."""


@pytest.fixture(scope="module")
def live(tmp_path_factory):
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


def chunked(*chunks):
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


@pytest.mark.parametrize(
    ("name", "sent", "says"),
    [
        ("two lengths", POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}" + SMUGGLED, [400]),
        ("two equal lengths", POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + SMUGGLED, [400]),
        ("a list of lengths", POST + b"Content-Length: 2, 2\r\n\r\n{}" + SMUGGLED, [400]),
        ("length and chunks", POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, [400]),
        ("chunks and length", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + SMUGGLED, [400]),
        ("chunks twice", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, [400]),
        ("chunked not last", POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED, [400]),
        ("an unknown coding", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, [400]),
        ("chunks in HTTP/1.0", POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, [400]),
        ("blank before the colon", POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, [400]),
        ("blank before the name", POST + b" Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, [400]),
        ("a folded header", POST + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n" + SMUGGLED, [400]),
        ("a tab in the coding", POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, [400]),
        ("a length with a sign", POST + b"Content-Length: +2\r\n\r\n{}" + SMUGGLED, [400]),
        ("a length below zero", POST + b"Content-Length: -2\r\n\r\n{}" + SMUGGLED, [400]),
        ("a length in hex", POST + b"Content-Length: 0x2\r\n\r\n{}" + SMUGGLED, [400]),
        ("a length with an underscore", POST + b"Content-Length: 1_0\r\n\r\n{}" + SMUGGLED, [400]),
        ("a length of other digits", POST + "Content-Length: ٢\r\n\r\n{}".encode() + SMUGGLED, [400]),
        ("a length of 5000 digits", POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}", [400, 413]),
        ("a length of petabytes", POST + b"Content-Length: 9999999999999999\r\n\r\n{}", [413]),
        ("a header's name with an underscore", POST + b"Content_Length: 9\r\nContent-Length: 2\r\n\r\n{}" + LAST, [200, 200]),
        ("bare CR", POST + b"X: a\rContent-Length: 2\r\n\r\n", [400]),
        ("bare LF between headers", POST + b"X: a\nContent-Length: 2\r\n\r\n", [400]),
        ("bare LF behind the line", b"GET /query HTTP/1.1\nHost: a\r\n\r\n", [400]),
        ("NUL in a header", PROBE + b"X: a\0b\r\n\r\n", [400]),
        ("NUL in the path", b"GET /que\0ry HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
        ("NUL in the method", b"G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
        ("another host in the line", b"GET http://b/network/active HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", [200, 400]),
        ("only an authority", b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", [400, 404, 405]),
        ("a star", b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", [400, 404, 405]),
        ("a host that is none", b"GET /readyz HTTP/1.1\r\nHost: a b\x7f/..\r\nConnection: close\r\n\r\n", [200, 400]),
        ("no host", b"GET /network/active HTTP/1.1\r\nConnection: close\r\n\r\n", [200, 400]),
        ("HTTP/0.9", b"GET /query\r\n\r\n", [400]),
        ("HTTP/2 from the start", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(60), [400]),
        ("an upgrade to HTTP/2", PROBE + b"Upgrade: h2c\r\nConnection: Upgrade, close\r\nHTTP2-Settings: AA\r\n\r\n", [200]),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2, [400]),
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n\r\n", [400]),
        ("a PROXY line", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + LAST, [400]),
        ("noise", bytes(range(256)) * 40 + b"\r\n\r\n", [400, 414]),
        ("a chunk of no number", POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n" + SMUGGLED, [400]),
        ("a chunk below zero", POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n" + SMUGGLED, [400]),
        ("a chunk too short", POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n" + SMUGGLED, [400]),
        ("a chunk's number of 20 digits", POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 20 + b"\r\n{}\r\n", [400, 413]),
        ("expecting to go on", POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}" + LAST, [100, 200, 200]),
    ],
)  # fmt: skip
def test_one_request_is_never_two(live, name, sent, says):
    """What stands behind a request that is refused is not answered, least of all as a request."""
    found = statuses(exchange(live, sent, end=True))
    assert found in (says, [says[0]]) or (len(found) == 1 and found[0] in says), name


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
    slow = [
        b"GET /query?query=",
        PROBE + b"X: ",
        POST + b"Content-Length: 1000\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{",
    ]
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


@pytest.mark.parametrize(
    ("start", "more", "says"),
    [
        (b"GET /query?query=", b"A" * MIB, {414}),
        (b"GET /", b"a" * MIB, {414}),
        (b"", b"A" * MIB, {400, 414}),
        (b"\r\n", b"\r\n" * (MIB // 2), {400}),
        (PROBE, b"X: " + b"b" * 1000 + b"\r\n", {431}),
        (PROBE + b"X: ", b"b" * MIB, {431}),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", chunked(b"[" * (MIB // 2)), {413}),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", chunked(*[b" "] * 50_000), {400}),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2;x=", b"y" * MIB, {400}),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * MIB, {400}),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 100_000, {400, 431}),
    ],
    ids=["query", "path", "method", "empty lines", "headers", "header", "chunks", "small chunks", "extension", "size", "trailers"],
)  # fmt: skip
def test_what_never_ends_is_cut(live, start, more, says):
    """Up to 300 MiB are offered; the server takes what it has a limit for."""
    answer = exchange(live, start, *[more] * (300 * MIB // len(more)))
    found = statuses(answer)
    assert found == [] or (len(found) == 1 and found[0] in says), found


def test_connections_that_come_and_go_by_the_thousand(live):
    """Opened and dropped, with nothing, half a line, or a whole request said."""
    said = (b"", b"GET /que", LAST, b"\x16\x03\x01")
    for place in range(10_000):
        with connect(live) as connection, suppress(OSError):
            connection.sendall(said[place % len(said)])
    descriptors(live)


def descriptors(live):
    """Waits until the server has closed what its clients have."""
    from pathlib import Path

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
