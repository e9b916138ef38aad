"""A JSONL file of rows, one object with a push's fields in each line; it may be gzipped."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from engines.contract import TableSpec
from havengate.errors import DocumentError, PictureError
from havengate.folder_reader import FolderReader
from ingest.sources.base import Batch, Checkpoint, Record, noted
from ingest.sources.batching import batched
from ingest.sources.beside import PicturesBeside
from ingest.sources.file_identity import reading, unchanged


def open_text(path: Path) -> BinaryIO:
    """The file's bytes, unpacked where its name ends in .gz; positions are those of the unpacked bytes."""
    return cast("BinaryIO", gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb"))


class JsonlSource:
    """Lines of a JSONL file; for a Base64 table a picture may be named by a path beside the file instead.

    ``max_picture`` bytes of such a picture, ``max_line`` of a line: a longer one is no record and is not kept in
    memory.
    """

    def __init__(self, path: Path, table: TableSpec, *, max_picture: int, max_line: int) -> None:
        self._path = path
        self._max_line = max_line
        self._pictures = PicturesBeside(FolderReader(path.parent), table.schema, max_picture)

    @property
    def name(self) -> str:
        return str(self._path)

    def count(self) -> int | None:
        with reading(self._path), open_text(self._path) as file:
            return sum(1 for _ in _lines(file, self._max_line, 0))

    def left_out(self) -> int:
        return 0

    def batches(self, after: Checkpoint | None, size: int) -> Iterator[Batch]:
        return batched(self._records(after), size)

    def _records(self, after: Checkpoint | None) -> Iterator[tuple[Record, Checkpoint]]:
        offset, number = (int(noted(after, "offset")), int(noted(after, "line"))) if after else (0, 0)
        with unchanged(self._path, after) as same, reading(self._path), open_text(self._path) as file:
            file.seek(offset)
            for record, place in json_records(file, self.name, self._pictures, max_line=self._max_line, after=number):
                yield record, {**same, **place}


def json_records(
    file: BinaryIO, name: str, pictures: PicturesBeside, *, max_line: int, after: int
) -> Iterator[tuple[Record, dict[str, object]]]:
    """A record for each line behind the file's position, the line ``after``, with the position behind it."""
    for number, line in _lines(file, max_line, after):
        place: dict[str, object] = {"offset": file.tell(), "line": number}
        fields: dict[str, object] = {}
        try:
            fields = _fields(line, max_line)
            yield Record(f"{name}:{number}", pictures.fill(fields)), place
        except (DocumentError, PictureError) as error:
            yield Record(f"{name}:{number}", None, error.message, pictures.key(fields)), place


def _fields(line: bytes | None, max_line: int) -> dict[str, object]:
    if line is None:
        raise DocumentError(f"a line of more than {max_line} bytes")
    return json_object(line)


def _lines(file: BinaryIO, max_line: int, number: int) -> Iterator[tuple[int, bytes | None]]:
    """Lines that are not blank with their numbers; None for one that is too long."""
    while line := file.readline(max_line + 1):
        number += 1
        if len(line) > max_line:
            while line and not line.endswith(b"\n"):
                line = file.readline(max_line)
            yield number, None
        elif line.strip():
            yield number, line


def json_object(line: bytes | str) -> dict[str, object]:
    """Raises DocumentError for what is no JSON object."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise DocumentError("a line is one JSON object")
    return value
