"""What `havengate ingest` reads: a JSONL file of rows, or a folder of pictures. Each item comes with its place."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from engines.contract import TableSpec
from havengate.blobs import open_reader
from havengate.errors import DocumentError, HavengateError, RequestError
from schemas.table import FieldType, PictureSource, TableSchema

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class Item:
    """One row to be, or why it is none; ``place`` is ``FILE:LINE`` or a file's path."""

    place: str
    fields: dict[str, object] | None
    error: str = ""


def count_items(source: Path) -> int:
    """How many items ``read_items`` will give, for a progress bar."""
    if source.is_dir():
        return sum(1 for _ in _pictures(source))
    with source.open("rb") as file:
        return sum(1 for line in file if line.strip())


def read_items(source: Path, table: TableSpec, max_bytes: int) -> Iterator[Item]:
    """The rows of a JSONL file, or one row for each picture under a folder.

    In a JSONL file for a Base64 table a picture may be named by a path beside the file instead. A picture of a
    folder gets its path as STRING key, or 63 bits of the path's hash as integer key, so that reading the folder
    again changes nothing. Raises RequestError where the source does not fit the table.
    """
    if source.is_dir():
        yield from _folder_items(source, table, max_bytes)
    elif source.is_file():
        yield from _jsonl_items(source, table, max_bytes)
    else:
        raise RequestError(f"{source}: no such file or folder")


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
            data = open_reader(folder.resolve().as_uri(), "").read(value, max_bytes)
            fields = fields | {name: base64.b64encode(data).decode()}
    return fields


def _folder_items(folder: Path, table: TableSpec, max_bytes: int) -> Iterator[Item]:
    source = _picture_source(table)
    root = _bucket_folder(source, folder) if source.kind == "oss" else folder
    for path in _pictures(folder):
        key = _key(path.relative_to(folder).as_posix(), table.schema)
        try:
            value = _picture_value(path, root, source, max_bytes)
        except HavengateError as error:
            yield Item(str(path), None, error.message)
            continue
        yield Item(str(path), {table.schema.primary_key: key, source.field: value})


def _pictures(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())


def _picture_source(table: TableSpec) -> PictureSource:
    sources = [index.source for index in table.schema.vector_indexes.values() if index.source is not None]
    if len(sources) != 1:
        raise RequestError(f"a folder fills a table with one picture field, {table.name!r} has {len(sources)}")
    return sources[0]


def _bucket_folder(source: PictureSource, folder: Path) -> Path:
    parsed = urlparse(source.endpoint)
    if parsed.scheme != "file":
        raise RequestError("this version fills OSS tables from a folder only where oss_endpoint is file://DIR")
    root = (Path(parsed.path) / source.bucket.strip("/")).resolve()
    if not folder.resolve().is_relative_to(root):
        raise RequestError(f"{folder} is not inside the table's bucket {root}")
    return root


def _picture_value(path: Path, root: Path, source: PictureSource, max_bytes: int) -> str:
    if source.kind == "oss":
        return f"/{path.resolve().relative_to(root).as_posix()}"
    data = open_reader(path.parent.resolve().as_uri(), "").read(path.name, max_bytes)
    return base64.b64encode(data).decode()


def _key(relative: str, schema: TableSchema) -> str | int:
    if schema.key_type.is_string:
        return relative
    if schema.key_type not in (FieldType.INT64, FieldType.UINT64):
        raise RequestError(f"a folder's pictures need a STRING, INT64 or UINT64 key, not {schema.key_type}")
    return int.from_bytes(hashlib.sha256(relative.encode()).digest()[:8]) >> 1
