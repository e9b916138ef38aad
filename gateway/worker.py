"""gunicorn's threaded worker, as the gateway needs it: JSON errors, bounded requests, patient clients only."""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn import util
from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidRequestLine,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.workers.gthread import TConn, ThreadWorker

from gateway import tls
from gateway.slots import Slots
from gateway.wire import HEAD_S, HeadTooSlow, request_parser

if TYPE_CHECKING:
    from concurrent.futures import Future

_LINGER_S = 2.0
_LINGER_SILENCE_S = 0.5
_LINGER_READ = 1 << 18
_CLOSING_S = 0.2
_HEARTBEAT_S = 1.0
_SHOWN = 200
_REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    414: "URI Too Long",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}


class GatewayWorker(ThreadWorker):  # type: ignore[misc]
    """One process, many threads for connections; ``self.app`` is gateway.server's application and knows the settings.

    A connection costs a thread from its request's first byte to its answer's last; the application's slots are fewer.
    """

    def load_wsgi(self) -> None:
        # Reading a large data folder takes longer than a silent worker is left alive.
        booted = threading.Event()
        threading.Thread(target=self._beat_until, args=(booted,), daemon=True).start()
        try:
            self.wsgi = Slots(self.app.boot(self), self.app.settings.server.threads)
        finally:
            booted.set()
        # The master kills at its limit; a worker that gave up then, too, would close the data folder under requests.
        self.cfg.set("graceful_timeout", 2 * self.cfg.graceful_timeout)

    def set_accept_enabled(self, enabled: bool) -> None:
        for listener in self.sockets:
            if enabled:
                listener.listen(self.cfg.backlog)
            elif not self.alive:
                self._stop_listening(listener)
        super().set_accept_enabled(enabled)

    def is_parent_alive(self) -> bool:
        if not super().is_parent_alive():
            self.alive = False
        return bool(self.alive)

    def enqueue_req(self, conn: TConn) -> None:
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + HEAD_S
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def handle(self, conn: TConn) -> Any:
        keep = False
        if self._is_secure(conn):
            self._set_parser(conn)
            keep = super().handle(conn)
        if not keep:
            _linger(conn.sock)
        return keep

    def finish_request(self, conn: TConn, future: Future[Any]) -> None:
        """gunicorn's, but for closing: its own lingers in the thread that accepts connections."""
        if future.exception() is None and future.result():
            super().finish_request(conn, future)
        else:
            self.nr_conns -= 1
            conn.close()

    def handle_quit(self, sig: int, frame: object) -> None:
        """SIGINT and SIGQUIT end the worker as SIGTERM does: after the requests that it has."""
        self.handle_exit(sig, frame)

    def handle_error(self, _req: object, client: socket.socket, addr: tuple[str, int], exc: BaseException) -> None:
        """Answers what is no HTTP, or failed outside the application; gunicorn's own body is HTML."""
        status = _status(exc)
        if status == 500:  # noqa: PLR2004 - HTTP's own number
            self.log.error("request from %s failed", addr, exc_info=exc)
            message = "internal error"
        else:
            message = _message(exc)
            # The message may quote a header, and a password in it.
            self.log.info("refused a request from %s with status %d: %s", addr, status, type(exc).__name__)
        self._refuse(client, status, message)

    def _refuse(self, client: socket.socket, status: int, message: str) -> None:
        self.app.refused(status)
        try:
            util.write_nonblock(client, _answer(status, message))
        except OSError:
            self.log.debug("the client of a refused request was gone")

    def _is_secure(self, conn: TConn) -> bool:
        """Shakes hands with a client that is new, in its own thread; whoever cannot is not heard further."""
        if self.app.certificates is None or isinstance(conn.sock, ssl.SSLSocket):
            return True
        try:
            conn.sock = tls.secured(conn.sock, self.app.certificates.context())
            tls.shake_hands(conn.sock, HEAD_S)
        except tls.PlainHttp:
            # What is left of the socket without TLS.
            conn.sock = socket.socket(fileno=conn.sock.detach())
            self._refuse(conn.sock, 400, "this port speaks https")
        except OSError as error:
            self.log.debug("no TLS with %s: %s", conn.client, type(error).__name__)
        else:
            return True
        return False

    def _set_parser(self, conn: TConn) -> None:
        if conn.parser is None:
            settings = self.app.settings
            conn.parser = request_parser(
                self.cfg,
                conn.sock,
                conn.client,
                most_line=settings.limits.request_line,
                patience=settings.server.client_timeout_s,
            )

    def _cap_keepalive(self, deadline: float) -> None:
        """Connections that have not sent a byte, too, are waited for no longer than kept ones."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _stop_listening(self, listener: Any) -> None:
        """Takes who has connected already and refuses the others, who would be reset; the next worker listens anew."""
        listener.setblocking(False)
        before = -1
        while before != self.nr_conns:
            before = self.nr_conns
            self.accept(listener)
        with suppress(OSError):
            listener.sock.shutdown(socket.SHUT_RDWR)

    def _beat_until(self, booted: threading.Event) -> None:
        while not booted.wait(_HEARTBEAT_S):
            self.notify()


def _linger(connection: socket.socket) -> None:
    """Lets a client that is still sending read its answer, which a reset would throw away (RFC 9112 9.6)."""
    end = time.monotonic() + _LINGER_S
    if isinstance(connection, ssl.SSLSocket):
        # Without this word the client cannot tell an answer that is complete from one that somebody cut.
        with suppress(OSError, ValueError):
            connection.settimeout(_CLOSING_S)
            connection.unwrap()
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(_LINGER_SILENCE_S)
        while connection.recv(_LINGER_READ) and time.monotonic() < end:
            pass


def _status(exc: BaseException) -> int:
    match exc:
        case LimitRequestLine():
            return 414
        case LimitRequestHeaders():
            return 431
        case ExpectationFailed():
            return 417
        case HeadTooSlow():
            return 408
        case ParseException() | ssl.SSLError():
            return 400
        case _:
            return 500


def _message(exc: BaseException) -> str:
    """The exception's text, without the megabytes that it may quote."""
    text = "the request line is malformed" if isinstance(exc, InvalidRequestLine) else str(exc)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _answer(status: int, message: str) -> bytes:
    body = json.dumps({"code": str(status), "message": message})
    return (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nConnection: close\r\n"
        f"Content-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode("ascii")
