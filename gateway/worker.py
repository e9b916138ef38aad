"""gunicorn's threaded worker, as the gateway needs it: JSON errors, bounded requests, patient clients only."""

from __future__ import annotations

import json
import threading
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

from gateway.wire import HeadTooSlow, request_parser

if TYPE_CHECKING:
    import socket

_LINGER_S = 2.0
_LINGER_BYTES = 1 << 30
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
    """One process, a few threads; ``self.app`` is gateway.server's application and knows the settings."""

    def load_wsgi(self) -> None:
        # Reading a large data folder takes longer than a silent worker is left alive.
        booted = threading.Event()
        threading.Thread(target=self._beat_until, args=(booted,), daemon=True).start()
        try:
            self.wsgi = self.app.boot(self)
        finally:
            booted.set()

    def enqueue_req(self, conn: TConn) -> None:
        if conn.parser is None:
            settings = self.app.settings
            conn.parser = request_parser(
                self.cfg,
                conn.sock,
                conn.client,
                most_line=settings.limits.request_line,
                patience=settings.server.client_timeout_s,
            )
        super().enqueue_req(conn)

    def handle(self, conn: TConn) -> Any:
        keep = super().handle(conn)
        if not keep:
            # A client that is still sending has to read the answer before a reset throws it away. gunicorn does
            # the same for fewer bytes, but in the thread that accepts connections.
            util.close_graceful(conn.sock, timeout=_LINGER_S, max_drain=_LINGER_BYTES)
        return keep

    def handle_error(self, _req: object, client: socket.socket, addr: tuple[str, int], exc: BaseException) -> None:
        """Answers what is no HTTP, or failed outside the application; gunicorn's own body is HTML."""
        status = _status(exc)
        if status == 500:  # noqa: PLR2004 - HTTP's own number
            self.log.error("request from %s failed", addr, exc_info=exc)
            message = "internal error"
        else:
            message = _message(exc)
            self.log.info("refused a request from %s: %s", addr, message)
        try:
            util.write_nonblock(client, _answer(status, message))
        except OSError:
            self.log.debug("the client of a refused request was gone")

    def _beat_until(self, booted: threading.Event) -> None:
        while not booted.wait(_HEARTBEAT_S):
            self.notify()


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
        case ParseException():
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
