"""A CSV file with a header line; it may be gzipped. RFC 4180: commas, quotes, line breaks within quotes."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from engines.contract import TableSpec
from havengate.errors import HavengateError, RequestError
from havengate.folder_reader import FolderReader
from ingest.sources.base import Batch, Checkpoint, Record, noted
from ingest.sources.batching import batched
from ingest.sources.beside import PicturesBeside
from ingest.sources.columns import check_columns, field_value
from ingest.sources.file_identity import reading, unchanged
from ingest.sources.jsonl import open_text

_BOM = b"\xef\xbb\xbf"


class CsvSource:
    """Records of a CSV file in UTF-8; an empty cell is a missing value, and a text otherwise.

    For a Base64 table a picture may be named by a path beside the file instead. ``max_picture`` bytes of such a
    picture, ``max_line`` bytes of a line and characters of a cell. Raises RequestError where the header does not fit
    the table.
    """

    def __init__(self, path: Path, table: TableSpec, *, max_picture: int, max_line: int) -> None:
        self._path = path
        self._schema = table.schema
        self._max_line = max_line
        self._pictures = PicturesBeside(FolderReader(path.parent), table.schema, max_picture)
        # The module has one limit for the whole process, and Base64 pictures are above its default.
        csv.field_size_limit(max(csv.field_size_limit(), max_line))
        with reading(path), open_text(path) as file:
            self._columns, self._begin = _header(path, _Lines(file, max_line))
        check_columns(str(path), self._columns, table.schema)

    @property
    def name(self) -> str:
        return str(self._path)

    def count(self) -> int | None:
        with reading(self._path), open_text(self._path) as file:
            file.seek(self._begin)
            return sum(1 for _ in _records(_Lines(file, self._max_line)))

    def left_out(self) -> int:
        return 0

    def batches(self, after: Checkpoint | None, size: int) -> Iterator[Batch]:
        return batched(self._read(after), size)

    def _read(self, after: Checkpoint | None) -> Iterator[tuple[Record, Checkpoint]]:
        with unchanged(self._path, after) as same, reading(self._path), open_text(self._path) as file:
            lines = _Lines(file, self._max_line, int(noted(after, "line")) if after else 0)
            if after:
                file.seek(int(noted(after, "offset")))
            else:
                _header(self._path, lines)
            for line, cells in _records(lines):
                yield self._record(line, cells), {**same, "offset": file.tell(), "line": lines.number}

    def _record(self, line: int, cells: list[str] | str) -> Record:
        place = f"{self._path}:{line}"
        if isinstance(cells, str):
            return Record(place, None, cells)
        if len(cells) != len(self._columns):
            return Record(place, None, f"{len(cells)} cells, the header has {len(self._columns)}")
        given = {name: cell for name, cell in zip(self._columns, cells, strict=True) if cell}
        try:
            fields = {name: field_value(self._schema, name, cell) for name, cell in given.items()}
            return Record(place, self._pictures.fill(fields))
        except HavengateError as error:
            return Record(place, None, error.message, self._pictures.key(given))


class _Lines:
    """Lines of a file as text with the number of the last one, for a csv reader, which takes no more than it needs.

    What is not UTF-8 becomes lone surrogates, which no field takes: one bad value costs its own row. A line that is
    too long is csv.Error, and the next one comes after it.
    """

    def __init__(self, file: BinaryIO, longest: int, number: int = 0) -> None:
        self.file = file
        self.number = number
        self._longest = longest

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self.file.readline(self._longest + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > self._longest:
            while line and not line.endswith(b"\n"):
                line = self.file.readline(self._longest)
            raise csv.Error(f"a line of more than {self._longest} bytes")
        return line.decode(errors="surrogateescape")


def _header(path: Path, lines: _Lines) -> tuple[list[str], int]:
    """The names of the columns, and where the first record begins."""
    if lines.file.read(len(_BOM)) != _BOM:
        lines.file.seek(0)
    try:
        names = next(csv.reader(lines, strict=True), [])
        "".join(names).encode()
    except (csv.Error, UnicodeEncodeError) as error:
        raise RequestError(f"{path}: its first line is no header of a CSV file in UTF-8") from error
    if not any(names):
        raise RequestError(f"{path}: no header line with the fields' names")
    return [name.strip() for name in names], lines.file.tell()


def _records(lines: _Lines) -> Iterator[tuple[int, list[str] | str]]:
    """Each record's first line and its cells, or what is wrong with it; blank lines are none."""
    reader = csv.reader(lines, strict=True)
    while True:
        line = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, f"not CSV: {error}"
            continue
        if cells:
            yield line, cells
