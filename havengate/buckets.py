"""Buckets of stores that speak S3 (Alibaba's OSS, AWS, MinIO), with boto3. Sources of rows and pictures are only read.

What is wrong with one object is a DocumentError or PictureError, what is wrong with the store a SourceError: a row
is to blame for the first only. Messages name codes of the store and never its words, which may repeat a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from time import monotonic
from typing import Any

from havengate.bucket_errors import BrokenOff, Unclear, body_failures, failures, silence, translated
from havengate.endpoints import Endpoint, object_key
from havengate.errors import DocumentError, HavengateError, PictureError, SourceAway, SourceChanged, SourceError

_PAGE = 1000
_ATTEMPTS = 4
_CONNECT_S = 10.0
_SILENT = 3
_AWAY_S = 1.0
_CONNECTIONS = 64
_PIECE = 16 << 10
_SLOWEST = 64 << 10
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's key, its size in bytes, and the tag that changes with its content."""

    key: str
    size: int
    etag: str


class _Broken(Exception):
    """A body that ended too soon or came too slowly."""


class Bucket:
    """One bucket. May be called from several threads.

    A call is tried up to four times where the store does not answer or says to come again, and a body that breaks
    off three times; no answer for ``timeout_s`` seconds, or bytes that come more slowly than 64 KiB/s beyond that,
    count as breaking off. Where nobody can be reached, or three objects in a row got no answer, others are not tried
    for a second: a push of many pictures would wait for each.
    """

    def __init__(self, client: Any, endpoint: Endpoint, name: str, timeout_s: float) -> None:
        self._client = client
        self._name = name
        self.place = f"bucket {name!r} at {endpoint.url}"
        self._timeout_s = timeout_s
        self._answered = False
        self._silent = frozenset[str]()
        self._away_until = 0.0

    def read(self, path: str, max_bytes: int) -> bytes:
        """As havengate.folder_reader.ObjectReader. Raises SourceError, SourceAway for the store as a whole."""
        try:
            key = object_key(path)
        except ValueError as error:
            raise DocumentError(f"picture {path[:_SHOWN]!r}: {error}") from error
        try:
            return self.whole(key, max_bytes)
        except (DocumentError, PictureError) as error:
            kind = PictureError if isinstance(error, PictureError) else DocumentError
            raise kind(f"picture {path[:_SHOWN]!r}: {error.message}") from error

    def look(self, key: str) -> StoredObject:
        """Raises SourceError where there is no such object."""
        try:
            answer = self.ask("head_object", Key=key)
        except DocumentError as error:
            raise SourceError(f"object {key[:_SHOWN]!r} of {self.place}: {error.message}") from error
        return StoredObject(key, int(answer["ContentLength"]), str(answer.get("ETag", "")))

    def part(self, of: StoredObject, start: int, size: int) -> bytes:
        """At most ``size`` bytes from ``start`` on. Raises SourceChanged where the object is another by now."""
        size = min(size, of.size - start)
        span = f"bytes={start}-{start + size - 1}"
        try:
            data, answer = self._got(size, Key=of.key, Range=span, IfMatch=of.etag)
        except BrokenOff as error:
            raise SourceAway(f"object {of.key[:_SHOWN]!r} of {self.place} {error.message}") from error
        except (DocumentError, PictureError) as error:
            raise SourceChanged(f"object {of.key[:_SHOWN]!r} of {self.place}: {error.message}") from error
        if len(data) != size or answer.get("ETag", "") != of.etag:
            raise SourceChanged(f"object {of.key[:_SHOWN]!r} of {self.place} is not what it was")
        return data

    def objects(self, prefix: str, after: str = "") -> Iterator[list[StoredObject]]:
        """Pages of at most 1000 objects whose keys begin with ``prefix`` and come after ``after``, in UTF-8's order.

        Each page begins behind the last key of the one before: time between two pages costs nothing.
        """
        while True:
            begin = {"StartAfter": after} if after else {}
            try:
                answer = self.ask("list_objects_v2", Prefix=prefix, MaxKeys=_PAGE, **begin)
            except DocumentError as error:
                raise SourceError(f"{self.place} cannot be listed: {error.message}") from error
            page = [StoredObject(o["Key"], int(o["Size"]), o.get("ETag", "")) for o in answer.get("Contents", ())]
            keys = [after, *(found.key for found in page)]
            if keys != sorted(keys) or after in keys[1:]:
                raise SourceError(f"{self.place} does not list its objects in order")
            if page:
                yield page
            if not answer.get("IsTruncated") or not page:
                return
            after = page[-1].key

    def close(self) -> None:
        self._client.close()

    def whole(self, key: str, max_bytes: int) -> bytes:
        """All bytes of the object with this very key. Raises as ``read``; Missing where the store has none."""
        try:
            return self._got(max_bytes, Key=key)[0]
        except Unclear as error:
            if self._is_readable():
                raise
            raise SourceError(
                f"{self.place}: {error.message}, and the bucket cannot be listed; is this its endpoint, and may these"
                " credentials read and list it? To those that may not list a missing object looks like a forbidden one"
            ) from error

    def _is_readable(self) -> bool:
        """Whether the store has ever told these credentials anything of this bucket."""
        if not self._answered:
            try:
                self.ask("list_objects_v2", MaxKeys=1)
            except HavengateError:
                return False
        return True

    def _got(self, max_bytes: int, **request: str) -> tuple[bytes, Mapping[str, Any]]:
        fault = ""
        for _ in range(_ATTEMPTS - 1):
            answer = self.ask("get_object", **request)
            try:
                return self._body(answer, max_bytes), answer
            except _Broken as broken:
                fault = str(broken)
        raise BrokenOff(f"{fault}, {_ATTEMPTS - 1} times")

    def _body(self, answer: Mapping[str, Any], max_bytes: int) -> bytes:
        size = answer.get("ContentLength")
        with closing(answer["Body"]) as body:
            if size is not None and size > max_bytes:
                raise PictureError(f"it has {size} bytes, more than the limit of {max_bytes}")
            data = self._taken(body, max_bytes + 1)
        if len(data) > max_bytes:
            raise PictureError(f"it has more bytes than the limit of {max_bytes}")
        if size is not None and len(data) != size:
            raise _Broken(f"broke off after {len(data)} of {size} bytes")
        return data

    def _taken(self, body: Any, most: int) -> bytes:
        data = bytearray()
        begin = monotonic()
        try:
            # Small pieces, because one read waits until it is full, however slowly bytes come.
            while len(data) < most and (piece := body.read(min(_PIECE, most - len(data)))):
                data += piece
                if monotonic() - begin > self._timeout_s + len(data) / _SLOWEST:
                    raise _Broken(f"came too slowly, {len(data)} bytes in {monotonic() - begin:.0f} s")
        except body_failures() as error:
            raise _Broken(f"broke off after {len(data)} bytes") from error
        return bytes(data)

    def ask(self, call: str, **request: Any) -> Mapping[str, Any]:
        """The answer to a call of boto3's client. Raises DocumentError of one object, SourceError of the store."""
        if monotonic() < self._away_until:
            raise SourceAway(f"{self.place} could not be reached a moment ago")
        try:
            answer: Mapping[str, Any] = getattr(self._client, call)(Bucket=self._name, **request)
        except failures() as error:
            told = translated(error, self.place)
            # A store that knows that there is no such object has looked.
            self._answered |= isinstance(told, DocumentError) and not isinstance(told, Unclear)
            self._note_silence(silence(error), str(request.get("Key", "")))
            raise told from error
        self._answered, self._silent = True, frozenset()
        return answer

    def _note_silence(self, level: int, key: str) -> None:
        self._silent = self._silent | {key} if level else frozenset()
        if level > 1 or len(self._silent) >= _SILENT:
            self._away_until = monotonic() + _AWAY_S


def open_bucket(endpoint: Endpoint, name: str, keys: tuple[str, str] | None, timeout_s: float) -> Bucket:
    """A bucket read with an AccessKey's id and secret; None: what boto3 finds, down to the machine's role.

    Raises SourceError where boto3 is not installed or finds no usable configuration.
    """
    try:
        from boto3.session import Session
        from botocore.config import Config
    except ModuleNotFoundError as error:
        raise SourceError(f"object stores need {error.name}: pip install 'havengate[s3]'") from error
    config = Config(
        region_name=endpoint.region,
        signature_version="s3v4",
        connect_timeout=min(timeout_s, _CONNECT_S),
        read_timeout=timeout_s,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=_CONNECTIONS,
        # OSS and older stores know none of the newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": endpoint.addressing},
    )
    key_id, secret = keys or (None, None)
    try:
        session = Session(aws_access_key_id=key_id, aws_secret_access_key=secret)
        client = session.client("s3", endpoint_url=endpoint.url, config=config)
    except failures() as error:
        raise translated(error, f"bucket {name!r} at {endpoint.url}") from error
    return Bucket(client, endpoint, name, timeout_s)
