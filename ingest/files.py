"""What `havengate ingest` reads: a JSONL file of rows, or a folder of pictures. Each item comes with its place."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engines.contract import TableSpec
from havengate.blobs import FolderReader, bucket_folder
from havengate.errors import DocumentError, HavengateError, RequestError
from schemas.table import FieldType, PictureSource, TableSchema

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class Item:
    """One row to be, or why it is none; ``place`` is ``FILE:LINE`` or a file's path."""

    place: str
    fields: dict[str, object] | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """The items of a file or folder, how many there will be, and how many files of a folder are no pictures."""

    items: Iterator[Item]
    count: int
    left_out: int = 0


def open_source(source: Path, table: TableSpec, max_bytes: int) -> Source:
    """The rows of a JSONL file, or one row for each picture under a folder.

    In a JSONL file for a Base64 table a picture may be named by a path beside the file instead. A picture of a
    folder gets its path as STRING key, or 63 bits of the path's hash as integer key, so that reading the folder
    again changes nothing; where rows name paths in a bucket, it is the path from the bucket down. Raises
    RequestError where the source does not fit the table, SchemaError for an endpoint that is no folder.
    """
    if source.is_dir():
        picture_field = _picture_source(table)
        _check_key(table.schema)
        files = _listing(source)
        return Source(_folder_items(files, source, table, picture_field, max_bytes), len(files.found), files.left_out)
    if not source.is_file():
        raise RequestError(f"{source}: no such file or folder")
    with source.open("rb") as file:
        if b"\0" in file.read(_HEAD):
            raise RequestError(f"{source}: neither a folder of pictures nor a JSONL file of rows")
        file.seek(0)
        count = sum(1 for line in file if line.strip())
    return Source(_jsonl_items(source, table, max_bytes), count)


def _jsonl_items(source: Path, table: TableSpec, max_bytes: int) -> Iterator[Item]:
    with source.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            place = f"{source}:{number}"
            try:
                yield Item(place, _with_pictures(_object(line), source.parent, table.schema, max_bytes))
            except HavengateError as error:
                yield Item(place, None, error.message)


def _object(line: bytes) -> dict[str, object]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise DocumentError("a line is one JSON object")
    return value


def _with_pictures(fields: dict[str, object], folder: Path, schema: TableSchema, max_bytes: int) -> dict[str, object]:
    for name in schema.base64_fields:
        value = fields.get(name)
        # A dot is in every file name with a suffix and never in Base64.
        if isinstance(value, str) and "." in value[:1024]:
            fields = fields | {name: _base64(FolderReader(folder), value, max_bytes)}
    return fields


@dataclass(slots=True)
class _Listing:
    """The pictures under a folder, each with why it cannot be looked at ("": it can), and folders that cannot."""

    found: list[tuple[Path, str]] = field(default_factory=list)
    left_out: int = 0

    def fault(self, error: OSError) -> None:
        self.found.append((Path(str(error.filename)), str(error.strerror)))


def _listing(folder: Path) -> _Listing:
    listing = _Listing()
    for parent, folders, names in os.walk(folder, onerror=listing.fault):
        folders.sort()
        for path in (Path(parent, name) for name in sorted(names)):
            if path.suffix.lower() in PICTURE_SUFFIXES:
                listing.found.append((path, _fault(path)))
            else:
                listing.left_out += 1
    return listing


def _fault(path: Path) -> str:
    try:
        return "" if stat.S_ISREG(path.stat().st_mode) else "not a regular file"
    except OSError as error:
        return str(error.strerror)


def _folder_items(
    listing: _Listing, folder: Path, table: TableSpec, source: PictureSource, max_bytes: int
) -> Iterator[Item]:
    inner = _path_in_bucket(source, folder) if source.kind == "oss" else Path()
    reader = FolderReader(folder)
    for path, fault in listing.found:
        try:
            if fault:
                raise DocumentError(fault)
            name = _utf8((inner / path.relative_to(folder)).as_posix())
            value = f"/{name}" if source.kind == "oss" else _base64(reader, name, max_bytes)
            yield Item(str(path), {table.schema.primary_key: _key(name, table.schema), source.field: value})
        except HavengateError as error:
            yield Item(str(path), None, error.message)


def _picture_source(table: TableSpec) -> PictureSource:
    sources = [index.source for index in table.schema.vector_indexes.values() if index.source is not None]
    if len(sources) != 1:
        raise RequestError(f"a folder fills a table with one picture field, {table.name!r} has {len(sources)}")
    return sources[0]


def _path_in_bucket(source: PictureSource, folder: Path) -> Path:
    root = bucket_folder(source.endpoint, source.bucket).resolve()
    try:
        return folder.resolve().relative_to(root)
    except ValueError as error:
        raise RequestError(f"{folder} is not inside the table's bucket {root}") from error


def _utf8(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DocumentError("the file's name is not UTF-8") from error
    return name


def _base64(reader: FolderReader, name: str, max_bytes: int) -> str:
    data = reader.read(name, max_bytes)
    if not data:
        raise DocumentError("the picture is empty (0 bytes)")
    return base64.b64encode(data).decode()


def _check_key(schema: TableSchema) -> None:
    if not schema.key_type.is_string and schema.key_type not in (FieldType.INT64, FieldType.UINT64):
        raise RequestError(f"a folder's pictures need a STRING, INT64 or UINT64 key, not {schema.key_type}")


def _key(name: str, schema: TableSchema) -> str | int:
    if schema.key_type.is_string:
        return name
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) >> 1
