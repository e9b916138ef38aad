"""Request bodies: read and inflated up to a limit, then JSON."""

from __future__ import annotations

import zlib
from typing import IO, TYPE_CHECKING, Any

from pydantic_core import from_json
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, RequestTimeout, UnsupportedMediaType

from gateway.stages import stage
from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt

if TYPE_CHECKING:
    from flask import Request

_CHUNK = 1 << 20
# A list or object takes 60 bytes and more for the 3 that it is sent as. The largest push has 5 million numbers.
_MOST_CONTAINERS = 1_000_000
_MOST_COMMAS = 20_000_000
# zlib's window argument: 15 reads the zlib wrapper (what HTTP calls deflate), 31 gzip's.
_WINDOWS = {"deflate": 15, "gzip": 31, "x-gzip": 31}


def read_body(request: Request, limit: int) -> bytes:
    """The request's body, inflated when it is compressed.

    Raises RequestEntityTooLarge above ``limit`` bytes, before or after inflating; UnsupportedMediaType for an
    encoding other than gzip and zlib-wrapped deflate; RequestError for a stream that does not inflate.
    """
    if request.content_length is not None and request.content_length > limit:
        raise _too_large(limit)
    with stage("read"):
        raw = _read(request.stream, limit)
    if request.content_length is not None and len(raw) < request.content_length:
        raise BadRequest(f"the body ended after {len(raw)} of {request.content_length} bytes")
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    return raw if encoding in ("identity", "") else inflate(raw, encoding, limit)


def inflate(raw: bytes, encoding: str, limit: int) -> bytes:
    """Raises as ``read_body``; never holds more than ``limit`` bytes of output."""
    if encoding not in _WINDOWS:
        raise UnsupportedMediaType(f"Content-Encoding {excerpt(repr(encoding))}: use gzip, deflate or none")
    stream = zlib.decompressobj(_WINDOWS[encoding])
    try:
        data = stream.decompress(raw, limit + 1)
    except zlib.error as error:
        raise RequestError(f"the body is not {encoding}: {error}", code=HaCode.KEY_VALUE_PAIR) from error
    if len(data) > limit:
        raise _too_large(limit)
    if not stream.eof:
        raise RequestError(f"the {encoding} body ends early", code=HaCode.KEY_VALUE_PAIR)
    if stream.unused_data:
        raise RequestError(f"{len(stream.unused_data)} bytes after the {encoding} body", code=HaCode.KEY_VALUE_PAIR)
    return data


def decode_json(raw: bytes) -> Any:
    """JSON as the standard has it: strict UTF-8, no NaN or Infinity, no lone surrogates, at most 200 levels.

    Raises RequestError saying where it stops being that, RequestEntityTooLarge for more values than memory is for.
    """
    if raw.count(b"[") + raw.count(b"{") > _MOST_CONTAINERS or raw.count(b",") > _MOST_COMMAS:
        raise RequestEntityTooLarge(f"more than {_MOST_CONTAINERS} lists and objects or {_MOST_COMMAS} commas")
    try:
        with stage("parse"):
            # Many times faster than json.loads on a picture's Base64 or a push's vectors.
            return from_json(raw, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise _bad_json(str(error)) from error


def json_object(request: Request, limit: int) -> dict[str, Any]:
    """The body as a JSON object. Raises as ``read_body`` and ``decode_json``."""
    value = decode_json(read_body(request, limit))
    if not isinstance(value, dict):
        raise _bad_json("it is not an object")
    return value


def _read(stream: IO[bytes], limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while size <= limit:
        try:
            chunk = stream.read(min(_CHUNK, limit + 1 - size))
        except TimeoutError as error:
            raise RequestTimeout("the body came too slowly") from error
        except Exception as error:  # each WSGI server raises its own for a broken chunk or connection
            raise BadRequest("the body broke off") from error
        if not chunk:
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.append(chunk)
        size += len(chunk)
    raise _too_large(limit)


def _bad_json(reason: str) -> RequestError:
    return RequestError(f"the body is not JSON: {reason}", code=HaCode.KEY_VALUE_PAIR)


def _too_large(limit: int) -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"the body is larger than {limit} bytes")
