"""The source that a text means: a path, ``oss://`` or ``s3://``, ``maxcompute://``, ``table:``."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from havengate.errors import RequestError
from ingest.sources.base import Source
from ingest.sources.file_identity import reading

if TYPE_CHECKING:
    from engines.contract import Engine, TableSpec
    from havengate.blobs import BlobStore
    from havengate.objects import Readers
    from havengate.settings import Settings

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)")
_OBJECTS = ("oss", "s3")
_MAXCOMPUTE = "maxcompute"
_TABLE = "table:"
_HEAD = 4096
_SHOWN = 10
KNOWN = "a folder, a .jsonl, .csv or .parquet file, oss://, s3://, maxcompute:// or table:NAME"


def check_source(text: str) -> None:
    """Raises RequestError for a text that can be no source, or holds what looks like keys; it is not repeated then."""
    if not text or "\0" in text:
        raise RequestError(f"a source is {KNOWN}")
    match = _SCHEME.match(text)
    if match is None:
        return
    if "@" in match[2]:
        raise RequestError("a source's text holds no keys; they belong in HAVENGATE_SOURCES__… or the table's schema")
    if match[1].lower() not in (*_OBJECTS, _MAXCOMPUTE):
        raise RequestError(f"no source {match[1]}://; a source is {KNOWN}")


def open_source(
    text: str, table: TableSpec, *, settings: Settings, engine: Engine, blobs: BlobStore, readers: Readers
) -> Source:
    """Opens what the text means and holds it against the table that it is to fill.

    Raises RequestError for what there is not or does not fit, SourceError (SourceAway) where it cannot be read,
    SettingsError for a package or key that is missing.
    """
    check_source(text)
    match = _SCHEME.match(text)
    if match is not None and match[1].lower() == _MAXCOMPUTE:
        from ingest.sources.maxcompute import MaxComputeSource, read_address

        return MaxComputeSource(read_address(text), table, settings.sources)
    if match is not None:
        from ingest.sources.objects import open_objects

        return open_objects(text, table, settings=settings, readers=readers)
    if text.startswith(_TABLE):
        from ingest.sources.table import TableSource

        name, fields = _table_address(text)
        return TableSource(name, fields, table, engine=engine, blobs=blobs)
    return _open_path(Path(text), table, settings)


def _table_address(text: str) -> tuple[str, list[str] | None]:
    name, question, query = text.removeprefix(_TABLE).partition("?")
    option, _, value = query.partition("=")
    if not name or (question and (option != "fields" or not value)):
        raise RequestError("a table as source is table:NAME or table:NAME?fields=ONE,ANOTHER")
    return name, [field.strip() for field in value.split(",")] if question else None


def _open_path(path: Path, table: TableSpec, settings: Settings) -> Source:
    from ingest.sources.delimited import CsvSource
    from ingest.sources.folder import FolderSource
    from ingest.sources.jsonl import JsonlSource
    from ingest.sources.parquet import ParquetSource

    picture, line = settings.limits.picture_bytes, settings.limits.body
    with reading(path):
        if path.is_dir():
            return FolderSource(path, table, picture)
        if not path.is_file():
            raise RequestError(f"{path}: no such file or folder{_siblings(path)}")
    match PurePath(path.name.lower().removesuffix(".gz")).suffix:
        case ".csv":
            return CsvSource(path, table, max_picture=picture, max_line=line)
        case ".parquet":
            return ParquetSource(path, table, max_picture=picture)
        case ".jsonl" | ".ndjson":
            return JsonlSource(path, table, max_picture=picture, max_line=line)
        case _ if _begins_as_object(path):
            return JsonlSource(path, table, max_picture=picture, max_line=line)
        case _:
            raise RequestError(f"{path}: neither a folder of pictures nor a JSONL file, nor .csv or .parquet")


def _begins_as_object(path: Path) -> bool:
    with reading(path), path.open("rb") as file:
        head = file.read(_HEAD)
    return b"\0" not in head and head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def _siblings(path: Path) -> str:
    """What there is in the nearest folder, for whoever mistyped."""
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent} either"
    names = sorted(entry.name for entry in path.parent.iterdir() if not entry.name.startswith("."))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"; {path.parent} has: {', '.join(names[:_SHOWN])}{more}" if names else f"; {path.parent} is empty"
