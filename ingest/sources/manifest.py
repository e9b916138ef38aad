"""A JSONL manifest in a bucket: one object with a push's fields in each line, read in parts and never held whole."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from engines.contract import TableSpec
from havengate.errors import SourceChanged, SourceError
from ingest.sources.base import Batch, Checkpoint, Record
from ingest.sources.batching import batched
from ingest.sources.beside import PicturesBeside
from ingest.sources.jsonl import json_records

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from havengate.buckets import Bucket, StoredObject

_PART = 4 << 20


class ManifestSource:
    """Lines of a JSONL object, unpacked where its key ends in .gz.

    For a Base64 table a picture may be named by a path in the bucket instead: from the manifest's folder on or, with
    a leading slash, from the bucket down. The checkpoint is the position behind a line and the object's tag.
    """

    def __init__(
        self, name: str, bucket: Bucket, key: str, table: TableSpec, *, max_picture: int, max_line: int
    ) -> None:
        self.name = name
        self._bucket = bucket
        self._key = key
        self._max_line = max_line
        self._pictures = PicturesBeside(_Beside(bucket, key), table.schema, max_picture)

    def count(self) -> int | None:
        """None: counting lines would read the whole object."""
        return None

    def left_out(self) -> int:
        return 0

    def batches(self, after: Checkpoint | None, size: int) -> Iterator[Batch]:
        return batched(self._records(after), size)

    def _records(self, after: Checkpoint | None) -> Iterator[tuple[Record, Checkpoint]]:
        manifest = self._bucket.look(self._key)
        offset, number = 0, 0
        if after is not None:
            if after.get("etag") != manifest.etag:
                raise SourceChanged(
                    f"{self.name} is not what it was when its rows began to be read: begin again with a new job"
                )
            offset, number = int(str(after["offset"])), int(str(after["line"]))
        with _reading(self.name), _opened(self._bucket, manifest) as file:
            file.seek(offset)
            records = json_records(file, self.name, self._pictures, max_line=self._max_line, after=number)
            for record, place in records:
                yield record, {"etag": manifest.etag, **place}


class _Beside:
    """Reads paths from an object's folder on."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket = bucket
        self._folder = key.rpartition("/")[0]

    def read(self, path: str, max_bytes: int) -> bytes:
        relative = self._folder and not path.startswith("/") and "://" not in path
        return self._bucket.read(f"{self._folder}/{path}" if relative else path, max_bytes)


class _Parts(io.RawIOBase):
    """An object as a file that can be read from anywhere, one request for each part."""

    def __init__(self, bucket: Bucket, of: StoredObject) -> None:
        super().__init__()
        self._bucket = bucket
        self._of = of
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._of.size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        if self._position >= self._of.size or not view:
            return 0
        data = self._bucket.part(self._of, self._position, len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


def _opened(bucket: Bucket, manifest: StoredObject) -> BinaryIO:
    file = io.BufferedReader(_Parts(bucket, manifest), _PART)
    return cast("BinaryIO", gzip.open(file) if manifest.key.lower().endswith(".gz") else file)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{name} cannot be unpacked: {error}") from error
