"""A folder of pictures, and the folders in it: one row for each picture."""

from __future__ import annotations

import hashlib
import heapq
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from engines.contract import TableSpec
from havengate.errors import DocumentError, HavengateError, RequestError, SourceError
from havengate.folder_reader import FolderReader, bucket_folder
from ingest.sources.base import Batch, Checkpoint, Record, noted
from ingest.sources.batching import batched
from ingest.sources.beside import base64_picture
from schemas.table import FieldType, PictureSource, TableSchema

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
_PAGE = 1 << 16

_After = tuple[tuple[str, ...], bool]
"""Parts of the last path, and whether it is that of a folder that could not be listed."""


@dataclass(frozen=True, slots=True)
class _Found:
    """``path`` from the source's folder on, as text: a million Path objects take longer than their files."""

    path: str
    fault: str = ""
    is_folder: bool = False


class FolderSource:
    """Pictures by suffix: the files of a folder in the order of their names, then its folders likewise.

    A picture gets its path as STRING key, or 63 bits of the path's hash as integer key, so that reading the folder
    again changes nothing; where rows name paths in a bucket, it is the path from the bucket down. Linked folders are
    not entered. Raises RequestError where the folder does not fit the table, SchemaError for an endpoint that is no
    folder.
    """

    def __init__(self, folder: Path, table: TableSpec, max_bytes: int) -> None:
        check_folder_key(table.schema)
        self._folder = str(folder).rstrip("/")
        self._name = str(folder)
        self._schema = table.schema
        self._max_bytes = max_bytes
        self._source = only_picture_source(table)
        self._inner = _path_in_bucket(self._source, folder) if self._source.kind == "oss" else ""
        self._reader = FolderReader(folder)
        self._left_out = 0

    @property
    def name(self) -> str:
        return self._name

    def count(self) -> int | None:
        return sum(1 for _ in _walk(self._folder, None, lambda: None))

    def left_out(self) -> int:
        return self._left_out

    def batches(self, after: Checkpoint | None, size: int) -> Iterator[Batch]:
        self._left_out = int(noted(after, "left_out")) if after else 0
        return batched(self._records(_read_checkpoint(after)), size)

    def _records(self, after: _After | None) -> Iterator[tuple[Record, Checkpoint]]:
        for found in _walk(self._folder, after, self._leave_out):
            if not found.path:
                raise SourceError(f"{self._name} cannot be read: {found.fault}")
            path = quote(os.fsencode(found.path))
            yield self._record(found), {"path": path, "is_folder": found.is_folder, "left_out": self._left_out}

    def _leave_out(self) -> None:
        self._left_out += 1

    def _record(self, found: _Found) -> Record:
        place = f"{self._folder}/{found.path}"
        try:
            if fault := found.fault or _fault(place):
                raise DocumentError(fault)
            name = _utf8(f"{self._inner}{found.path}")
            in_bucket = self._source.kind == "oss"
            value = f"/{name}" if in_bucket else base64_picture(self._reader, name, self._max_bytes)
        except HavengateError as error:
            return Record(place, None, error.message)
        return Record(place, {self._schema.primary_key: folder_key(name, self._schema), self._source.field: value})


def only_picture_source(table: TableSpec) -> PictureSource:
    """Where the table's pictures are. Raises RequestError unless exactly one vector index has a picture field."""
    sources = [index.source for index in table.schema.vector_indexes.values() if index.source is not None]
    if len(sources) != 1:
        raise RequestError(f"a folder fills a table with one picture field, {table.table!r} has {len(sources)}")
    return sources[0]


def check_folder_key(schema: TableSchema) -> None:
    """Raises RequestError for a key type that a path makes no key of."""
    if not schema.key_type.is_string and schema.key_type not in (FieldType.INT64, FieldType.UINT64):
        raise RequestError(f"a folder's pictures need a STRING, INT64 or UINT64 key, not {schema.key_type}")


def folder_key(name: str, schema: TableSchema) -> str | int:
    """The key of a picture at this path: the path, or 63 bits of its SHA-256."""
    if schema.key_type.is_string:
        return name
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) >> 1


def _walk(root: str, after: _After | None, leave_out: Callable[[], None]) -> Iterator[_Found]:
    levels = [_level(root, "", after, leave_out)]
    while levels:
        for found in levels[-1]:
            if isinstance(found, _Found):
                yield found
            else:
                levels.append(_level(root, *found, leave_out))
                break
        else:
            levels.pop()


def _level(
    root: str, inner: str, after: _After | None, leave_out: Callable[[], None]
) -> Iterator[_Found | tuple[str, _After | None]]:
    """Pictures in the folder ``inner`` ("", or its path with a slash behind it) of ``root``, then its folders."""
    folder = f"{root}/{inner}".rstrip("/") or "/"
    parts, after_folder = after or ((), False)
    try:
        if len(parts) < 2 and not after_folder:  # noqa: PLR2004  a deeper path comes after the folder's own files
            last = parts[0] if parts else None
            for name in _names(folder, last, _is_no_folder):
                if os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES:  # noqa: PTH122  a path costs more than the rest
                    yield _Found(f"{inner}{name}")
                else:
                    leave_out()
            parts = ()
        for name in _names(folder, None, partial(_is_folder_from, parts[0] if parts else "")):
            here = bool(parts) and name == parts[0]
            if not here:
                yield f"{inner}{name}/", None
            elif len(parts) > 1:
                yield f"{inner}{name}/", (parts[1:], after_folder)
    except OSError as error:
        yield _Found(inner.rstrip("/"), str(error.strerror), is_folder=True)


def _names(folder: str, after: str | None, wanted: Callable[[os.DirEntry[str]], bool]) -> Iterator[str]:
    """Names in order, in pages, so that a folder of millions takes no more memory than a small one."""
    while True:
        with os.scandir(folder) as entries:
            names = (entry.name for entry in entries if (after is None or entry.name > after) and wanted(entry))
            page = heapq.nsmallest(_PAGE, names)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_no_folder(entry: os.DirEntry[str]) -> bool:
    return not _is_folder(entry)


def _is_folder_from(first: str, entry: os.DirEntry[str]) -> bool:
    return entry.name >= first and _is_folder(entry) and not entry.is_symlink()


def _fault(path: str) -> str:
    try:
        return "" if stat.S_ISREG(os.stat(path).st_mode) else "not a regular file"  # noqa: PTH116  likewise
    except OSError as error:
        return str(error.strerror)


def _read_checkpoint(after: Checkpoint | None) -> _After | None:
    if after is None:
        return None
    # Names need not be UTF-8; a checkpoint is JSON for everybody.
    path = os.fsdecode(unquote_to_bytes(noted(after, "path")))
    return tuple(path.split("/")), bool(after.get("is_folder"))


def _path_in_bucket(source: PictureSource, folder: Path) -> str:
    """With a slash behind it, unless the folder is the bucket itself."""
    root = bucket_folder(source.endpoint, source.bucket).resolve()
    try:
        inner = folder.resolve().relative_to(root).as_posix()
    except ValueError as error:
        raise RequestError(f"{folder} is not inside the table's bucket {root}") from error
    return "" if inner == "." else f"{inner}/"


def _utf8(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DocumentError("the file's name is not UTF-8") from error
    return name
