"""HTTP as it comes in under gunicorn: long request lines in linear time and flat memory, deadlines for clients.

The vendor's SDK sends a whole picture in a GET line by default. gunicorn's own reader takes lines of any length
(limit_request_line 0) but copies all that it has with every 8 KiB, and keeps them in urlsplit's cache.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.errors import InvalidRequestLine, LimitRequestLine, ParseException
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader

from gateway.chunks import LinearChunks

if TYPE_CHECKING:
    import socket

HEAD_S = 5.0
"""Seconds for a request's line and headers, and for its first byte."""
_RECEIVE = 1 << 18
_MOST_PATH = 8190
_LEAST_BYTES_PER_SECOND = 16_384
# RFC 9112 3.2: printable ASCII, without blanks.
_TARGET_BYTES = bytes(range(0x21, 0x7F))


class HeadTooSlow(ParseException):  # type: ignore[misc]
    """The request line and headers did not come in time."""

    def __str__(self) -> str:
        return "the request came too slowly"


class DeadlineUnreader(SocketUnreader):  # type: ignore[misc]
    """Reads a head within HEAD_S, a body within ``patience`` seconds, and what its size needs on a slow line.

    Raises TimeoutError where gunicorn would wait for ever.
    """

    def __init__(self, connection: socket.socket, patience: float) -> None:
        super().__init__(connection, max_chunk=_RECEIVE)
        self._patience = patience
        self.start_head()

    def start_head(self) -> None:
        """A new request begins."""
        self._start(min(HEAD_S, self._patience))

    def start_body(self) -> None:
        """The head is complete. The answer, too, is given up when nobody takes it."""
        self._start(self._patience)

    def _start(self, allowed: float) -> None:
        self._began = time.monotonic()
        self._allowed = allowed
        self._received = 0
        self.sock.settimeout(self._patience)

    def chunk(self, size_hint: int | None = None) -> bytes:
        allowed = self._allowed + self._received / _LEAST_BYTES_PER_SECOND
        left = self._began + allowed - time.monotonic()
        if left <= 0:
            raise TimeoutError
        # gunicorn sets a shorter timeout of its own while it drains a body that nobody read.
        prior = self.sock.gettimeout() or self._patience
        self.sock.settimeout(min(left, prior))
        data: bytes = super().chunk(size_hint)
        self.sock.settimeout(prior)
        self._received += len(data)
        return data


class GatewayRequest(Request):  # type: ignore[misc]
    """A request whose line is cut at ``most_line`` bytes while it is read."""

    body: Any

    def __init__(self, *args: Any, most_line: int) -> None:
        self._most_line = most_line
        super().__init__(*args)

    def parse(self, unreader: DeadlineUnreader) -> bytes:
        unreader.start_head()
        try:
            rest: bytes = super().parse(unreader)
        except TimeoutError as error:
            raise HeadTooSlow from error
        unreader.start_body()
        return rest

    def set_body_reader(self) -> None:
        super().set_body_reader()
        if isinstance(self.body.reader, ChunkedReader):
            self.body = Body(LinearChunks(self, self.unreader))

    def read_line(self, unreader: DeadlineUnreader, buf: bytearray, _limit: int = 0) -> tuple[bytes, bytearray]:
        """The line and what came after it; each byte is looked at once. ``_limit`` is gunicorn's, and off."""
        seen = 0
        while (end := buf.find(b"\n", seen)) < 0:
            seen = len(buf)
            if seen > self._most_line + 2:
                break
            self.read_into(unreader, buf)
        length = end - 1 if end >= 0 else len(buf)
        if length > self._most_line:
            raise LimitRequestLine(length, self._most_line)
        if buf[length : length + 1] != b"\r":
            raise InvalidRequestLine("bare LF as line terminator")
        line = bytes(memoryview(buf)[:length])
        del buf[: end + 1]
        return line, buf

    def parse_request_line(self, line_bytes: bytes) -> None:
        """Everything but the query string is gunicorn's to judge."""
        before, mark, rest = line_bytes.partition(b"?")
        query, blank, version = rest.rpartition(b" ")
        if not mark or before.count(b" ") != 1 or not blank:
            self._check_path(line_bytes)
            super().parse_request_line(line_bytes)
            return
        self._check_path(before)
        if query.translate(None, _TARGET_BYTES):
            raise InvalidRequestLine("the query string holds bytes that have to be percent-encoded")
        super().parse_request_line(before + b" " + version)
        self.query = query.partition(b"#")[0].decode("ascii")

    @staticmethod
    def _check_path(line: bytes) -> None:
        if len(line) > _MOST_PATH:
            raise LimitRequestLine(len(line), _MOST_PATH)


def request_parser(
    cfg: Any, connection: socket.socket, client: object, *, most_line: int, patience: float
) -> RequestParser:
    """A parser for the requests of one connection."""
    parser = RequestParser(cfg, connection, client)
    parser.unreader = DeadlineUnreader(connection, patience)
    parser.mesg_class = partial(GatewayRequest, most_line=most_line)
    return parser
