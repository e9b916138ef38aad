"""Pictures in a bucket of OSS or S3: those whose keys begin with a prefix, or a single one; one row for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from engines.contract import TableSpec
from havengate.endpoints import is_folder
from havengate.errors import DocumentError, PictureError, RequestError, SourceChanged, SourceError
from ingest.sources.base import Batch, Checkpoint, Record, Source
from ingest.sources.batching import batched
from ingest.sources.beside import base64_picture
from ingest.sources.folder import PICTURE_SUFFIXES, check_folder_key, folder_key, only_picture_source
from schemas.table import PictureSource

if TYPE_CHECKING:
    from havengate.buckets import Bucket
    from havengate.objects import Readers
    from havengate.settings import Settings

_MANIFESTS = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_AHEAD = 8
_COUNTED = 100_000
_SHOWN = 200


def open_objects(text: str, table: TableSpec, *, settings: Settings, readers: Readers) -> Source:
    """What ``oss://BUCKET/PREFIX`` or ``s3://BUCKET/PREFIX`` means for a table.

    A key stands as it is, not encoded, and as in rows a slash before it does not count. One with a picture's suffix
    is that picture, one that ends in .jsonl (or .jsonl.gz) a manifest of rows, everything else a prefix. A bucket that
    the table's schema names is read as the schema says, any other one with the settings' endpoint and keys. Raises
    RequestError where the text is none or does not fit the table, SourceError.
    """
    from ingest.sources.manifest import ManifestSource

    scheme, _, place = text.partition("://")
    name, _, path = place.partition("/")
    if not name:
        raise RequestError(f"{text[:_SHOWN]}: a source in a store is oss://BUCKET/PREFIX")
    root, key = f"{scheme}://{name}/", path.removeprefix("/")
    ours = _schemas_place(table, name)
    bucket = readers.bucket(ours or PictureSource("", "oss", settings.sources.oss_endpoint, name))
    limits = settings.limits
    if key.lower().endswith(_MANIFESTS):
        return ManifestSource(
            f"{root}{key}", bucket, key, table, max_picture=limits.picture_bytes, max_line=limits.body
        )
    source = only_picture_source(table)
    if source.kind == "oss" and source is not ours:
        raise RequestError(f"{text[:_SHOWN]} is not in the table's bucket {source.bucket.strip('/')!r}")
    return ObjectsSource(root, bucket, key, table, max_bytes=limits.picture_bytes)


def _schemas_place(table: TableSpec, bucket: str) -> PictureSource | None:
    for index in table.schema.vector_indexes.values():
        source = index.source
        if source and source.kind == "oss" and source.bucket.strip("/") == bucket and not is_folder(source.endpoint):
            return source
    return None


class ObjectsSource:
    """Pictures by their keys' suffix, in the order of the keys, as FolderSource has them from the bucket down.

    Its checkpoint is the last key. For a Base64 table the pictures are read by eight threads.
    """

    def __init__(self, root: str, bucket: Bucket, prefix: str, table: TableSpec, *, max_bytes: int) -> None:
        check_folder_key(table.schema)
        self.name = f"{root}{prefix}"
        self._root = root
        self._bucket = bucket
        self._prefix = prefix
        self._is_one = _is_picture(prefix)
        self._schema = table.schema
        self._source = only_picture_source(table)
        self._max_bytes = max_bytes
        self._left_out = 0

    def count(self) -> int | None:
        """None from 100,000 objects on: listing them takes as long as anybody waits for a number."""
        if self._is_one:
            return 1
        seen = pictures = 0
        for page in self._bucket.objects(self._prefix):
            seen += len(page)
            pictures += sum(_is_picture(found.key) for found in page)
            if seen >= _COUNTED:
                return None
        return pictures

    def left_out(self) -> int:
        return self._left_out

    def batches(self, after: Checkpoint | None, size: int) -> Iterator[Batch]:
        key, self._left_out = _read_checkpoint(after)
        return batched(self._records(key), size)

    def _records(self, after: str) -> Iterator[tuple[Record, Checkpoint]]:
        pictures = self._one(after) if self._is_one else self._listed(after)
        if self._source.kind == "oss":
            for key, left_out in pictures:
                yield self._record(key, f"/{key}"), {"key": key, "left_out": left_out}
            return
        with ThreadPoolExecutor(_AHEAD, "objects") as pool:
            under_way: deque[tuple[Future[Record], Checkpoint]] = deque()
            for key, left_out in pictures:
                under_way.append((pool.submit(self._read, key), {"key": key, "left_out": left_out}))
                if len(under_way) > _AHEAD:
                    future, checkpoint = under_way.popleft()
                    yield future.result(), checkpoint
            for future, checkpoint in under_way:
                yield future.result(), checkpoint

    def _listed(self, after: str) -> Iterator[tuple[str, int]]:
        """Keys of pictures, and how many other objects came before each."""
        found = None
        for page in self._bucket.objects(self._prefix, after):
            for found in page:
                if _is_picture(found.key):
                    yield found.key, self._left_out
                else:
                    self._left_out += 1
        if found is None and not after:
            raise SourceError(f"{self.name}: no object's key begins like that")

    def _one(self, after: str) -> Iterator[tuple[str, int]]:
        if not after:
            self._bucket.look(self._prefix)
            yield self._prefix, 0

    def _read(self, key: str) -> Record:
        try:
            return self._record(key, base64_picture(self._bucket, f"/{key}", self._max_bytes))
        except (DocumentError, PictureError) as error:
            return Record(f"{self._root}{key}", None, error.message)

    def _record(self, key: str, value: str) -> Record:
        fields = {self._schema.primary_key: folder_key(key, self._schema), self._source.field: value}
        return Record(f"{self._root}{key}", fields)


def _is_picture(key: str) -> bool:
    return PurePosixPath(key).suffix.lower() in PICTURE_SUFFIXES and not key.endswith("/")


def _read_checkpoint(after: Checkpoint | None) -> tuple[str, int]:
    if after is None:
        return "", 0
    key, left_out = after.get("key"), after.get("left_out")
    if not isinstance(key, str) or not isinstance(left_out, int):
        raise SourceChanged("the checkpoint is not one of a listing")
    return key, left_out
