"""An object store for tests: moto's S3 server, and in front of it a proxy that does what a test wants to go wrong."""

import http.client
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Asked:
    """One request as it came in; ``path`` is decoded, ``count`` how often this path was asked for before."""

    method: str
    host: str
    path: str
    query: str
    headers: dict
    count: int


@dataclass(frozen=True)
class Answer:
    """Instead of the store's own answer."""

    status: int
    code: str = ""
    headers: dict = field(default_factory=dict)

    @property
    def body(self):
        return f"<?xml version='1.0'?><Error><Code>{self.code}</Code></Error>".encode() if self.code else b""


@dataclass(frozen=True)
class Cut:
    """Only so many bytes of the body, with the length of all; ``stays``: and the connection stays open, silent."""

    size: int
    stays: bool = False


@dataclass(frozen=True)
class Claim:
    """The whole body with another Content-Length; None: chunks without one."""

    length: int | None


class Silence:
    """No answer at all."""


@dataclass
class Store:
    """``fault`` is asked about every request what to do instead of passing it on (None: pass it on)."""

    port: int
    behind: tuple
    asked: list = field(default_factory=list)
    fault: object = None
    over: threading.Event = field(default_factory=threading.Event)
    guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def fill(self, bucket, objects):
        """Puts objects into moto's memory: 10,000 requests would take minutes."""
        from moto.s3.models import s3_backends

        backend = s3_backends[ACCOUNT]["aws"]
        if bucket not in backend.buckets:
            backend.create_bucket(bucket, "us-east-1")
        for key, data in objects.items():
            backend.put_object(bucket, key, data)

    def drop(self, bucket, key):
        from moto.s3.models import s3_backends

        s3_backends[ACCOUNT]["aws"].delete_object(bucket, key)

    def paths(self, method="GET"):
        return [asked.path for asked in self.asked if asked.method == method]

    def note(self, handler):
        url = urlsplit(handler.path)
        path = unquote(url.path)
        with self.guard:
            count = sum(asked.path == path for asked in self.asked)
            headers = {name.lower(): value for name, value in handler.headers.items()}
            asked = Asked(handler.command, headers["host"], path, url.query, headers, count)
            self.asked.append(asked)
        return asked


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, store, *arguments):
        self.store = store
        super().__init__(*arguments)

    def log_message(self, *_):
        pass

    def do_GET(self):
        asked = self.store.note(self)
        # Read in any case: what stays in the socket would be the next request.
        self.sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        action = self.store.fault(asked) if self.store.fault else None
        if isinstance(action, Answer):
            self.answer(action.status, {"Content-Type": "application/xml", **action.headers}, action.body)
        elif isinstance(action, Silence):
            self.close_connection = True
            self.store.over.wait()
        else:
            self.pass_on(asked, action)

    do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815  http.server's names

    def pass_on(self, asked, action):
        status, headers, body = self.behind(asked)
        if isinstance(action, Cut):
            self.answer(status, headers, body, send=action.size)
            self.close_connection = True
            if action.stays:
                self.store.over.wait()
        elif isinstance(action, Claim):
            length = {} if action.length is None else {"Content-Length": str(action.length)}
            plain = {name: value for name, value in headers.items() if name != "Content-Length"}
            self.answer(status, plain | length, body, chunked=action.length is None)
            self.close_connection = True
        else:
            self.answer(status, headers, body)

    def behind(self, asked):
        """What moto says, which is asked with the bucket in the path whatever way it came here."""
        name = asked.host.partition(":")[0]
        bucket = name.partition(".")[0] if name.endswith(".test") and name.count(".") > 1 else ""
        path = f"/{bucket}{self.path}" if bucket else self.path
        connection = http.client.HTTPConnection(*self.store.behind, timeout=30)
        try:
            connection.request(
                self.command, path, self.sent or None, headers=dict(self.headers) | {"Host": "127.0.0.1"}
            )
            response = connection.getresponse()
            body = response.read()
            hop = ("connection", "transfer-encoding", "date", "server")
            headers = {name.title(): value for name, value in response.getheaders() if name.lower() not in hop}
            return response.status, headers, body
        finally:
            connection.close()

    def answer(self, status, headers, body, *, send=None, chunked=False):
        self.send_response(status)
        sent = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))} | headers
        for name, value in (headers | sent).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if chunked:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        self.wfile.write(body[:send])
        self.wfile.flush()


@contextmanager
def proxy(behind):
    store = Store(0, behind)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Proxy, store))
    server.daemon_threads = True
    store.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield store
    finally:
        store.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def moto_server():
    """(host, port) of an S3 server in this process."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield server.get_host_and_port()
    server.stop()


@pytest.fixture
def store(moto_server, monkeypatch):
    """An empty store; nothing of this machine's own credentials or proxies counts."""
    import os

    from moto.s3.models import s3_backends

    for name in os.environ:
        if name.upper().startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    s3_backends[ACCOUNT]["aws"].buckets.clear()
    s3_backends.bucket_accounts.clear()
    with proxy(moto_server) as opened:
        yield opened


@pytest.fixture
def names_in_test(monkeypatch):
    """Every name below .test is this machine, and no other name is known."""
    known = socket.getaddrinfo

    def getaddrinfo(host, *arguments, **options):
        name = host.decode() if isinstance(host, bytes) else host
        if name and name.endswith(".test"):
            return known("127.0.0.1", *arguments, **options)
        if name in (None, "127.0.0.1", "localhost"):
            return known(host, *arguments, **options)
        raise socket.gaierror(socket.EAI_NONAME, "no such name in this test")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
