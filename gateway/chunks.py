"""Chunked bodies in linear time: gunicorn's reader copies all that it has received with every chunk, so that one of
many small chunks keeps the process busy for 40 microseconds a byte.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gunicorn.http.body import CHUNK_EXT_RE, ChunkedReader
from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkExtension, InvalidChunkSize, NoMoreData

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gunicorn.http.unreader import Unreader

_MOST_CHUNKS = 1_000_000
"""The largest body in chunks of 128 bytes; each costs a microsecond."""
_END = b"\r\n"
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")


class LinearChunks(ChunkedReader):  # type: ignore[misc]
    """Reads a chunked body (RFC 9112 7.1); raises gunicorn's errors for one that is none, or of too many chunks."""

    def parse_chunked(self, unreader: Unreader) -> Iterator[bytes]:
        held, at = b"", 0
        whole: list[bytes] = []
        for _ in range(_MOST_CHUNKS):
            while (end := held.find(_END, at)) < 0:
                if len(held) - at > self.limit_chunk_size_line:
                    raise InvalidChunkSize(held[at : at + 20])
                yield b"".join(whole)
                whole = []
                held, at = held[at:] + _more(unreader), 0
            size, at = _size(held[at:end]), end + len(_END)
            if size == 0:
                yield b"".join(whole)
                self.parse_trailers(unreader, held[at:])
                return
            while size > len(held) - at:
                size -= len(held) - at
                yield b"".join([*whole, held[at:]])
                whole = []
                held, at = _more(unreader, size), 0
            whole.append(held[at : at + size])
            at += size
            while len(held) - at < len(_END):
                held, at = held[at:] + _more(unreader), 0
            if not held.startswith(_END, at):
                raise ChunkMissingTerminator(held[at : at + len(_END)])
            at += len(_END)
        raise InvalidChunkSize(b"too many chunks")


def _more(unreader: Unreader, ahead: int | None = None) -> bytes:
    """The next bytes of the connection. Raises NoMoreData where it has ended."""
    data: bytes = unreader.read(None, read_ahead=ahead)
    if not data:
        raise NoMoreData
    return data


def _size(line: bytes) -> int:
    digits, mark, extension = line.partition(b";")
    if mark:
        if not CHUNK_EXT_RE.fullmatch(mark + extension):
            raise InvalidChunkExtension("invalid chunk extension")
        digits = digits.rstrip(b" \t")
    if not _SIZE.fullmatch(digits):
        raise InvalidChunkSize(digits[:20])
    return int(digits, 16)
