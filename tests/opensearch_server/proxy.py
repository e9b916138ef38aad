"""An HTTP server between a client and OpenSearch that can misbehave, speak TLS, or answer by itself."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import ParseResult, urlparse

Answer = tuple[int, object]
Trouble = Callable[[str], "str | Answer | None"]
"""By path: an answer instead of the server's, or "drop" (nothing sent on), "lose" (the answer), "cut" (half of it)."""


class Proxy:
    """In front of ``target``; without one, ``trouble`` answers everything."""

    def __init__(self, target: str | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.trouble: Trouble = lambda _: None
        self.seen: list[tuple[str, Mapping[str, str]]] = []
        self.target = urlparse(target) if target else None
        self._server = _Server(self)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://localhost:{self._server.server_address[1]}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Of clients that hang up, nothing is told."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        proxy.seen.append((self.path, dict(self.headers)))
        what = proxy.trouble(self.path)
        if isinstance(what, tuple):
            status, told = what
            if isinstance(told, str):
                self._send(status, told.encode(), kind="text/plain")
            else:
                self._send(status, json.dumps(told).encode())
        elif what == "drop":
            self.close_connection = True
        else:
            self._pass_on(proxy.target, body, what)

    def _pass_on(self, target: ParseResult | None, body: bytes, what: str | None) -> None:
        assert target is not None
        server = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        server.request(self.command, self.path, body, {"Content-Type": "application/json"})
        answer = server.getresponse()
        told = answer.read()
        server.close()
        if what == "lose":
            self.close_connection = True
            return
        self._send(answer.status, told, len(told) // 2 if what == "cut" else None)

    def _send(self, status: int, body: bytes, sent: int | None = None, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:sent])
        if sent is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing to tell."""

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815 - names of http.server
