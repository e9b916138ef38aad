"""A Parquet file, read by polars in slices of its rows: what is in memory is a slice and the row group it is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engines.contract import TableSpec
from havengate.blobs import FolderReader
from havengate.errors import HavengateError, SourceError
from ingest.sources.base import Batch, Checkpoint, Record, noted
from ingest.sources.batching import MAX_TEXT, batched
from ingest.sources.beside import PicturesBeside
from ingest.sources.columns import check_columns, check_types, field_value
from ingest.sources.file_identity import check_identity, identity, reading

if TYPE_CHECKING:
    import polars as pl

_MOST_ROWS = 1 << 16


class ParquetSource:
    """Rows of a Parquet file; null is a missing value, a list many values or a vector, a struct a MAP.

    For a Base64 table a column of bytes holds the pictures themselves, and a text may be a path beside the file.
    Raises RequestError where the columns do not fit the table, SourceError for what is no Parquet file.
    """

    def __init__(self, path: Path, table: TableSpec, *, max_picture: int) -> None:
        import polars as pl

        self._path = path
        self._schema = table.schema
        self._pictures = PicturesBeside(FolderReader(path.parent), table.schema, max_picture)
        with _parquet(path):
            columns = self._lazy().collect_schema()
            self._rows = int(self._lazy().select(pl.len()).collect().item())
        check_columns(str(path), list(columns), table.schema)
        check_types(str(path), _unfit(columns, table))

    @property
    def name(self) -> str:
        return str(self._path)

    def count(self) -> int | None:
        return self._rows

    def left_out(self) -> int:
        return 0

    def batches(self, after: Checkpoint | None, size: int) -> Iterator[Batch]:
        return batched(self._records(after), size)

    def _records(self, after: Checkpoint | None) -> Iterator[tuple[Record, Checkpoint]]:
        same = check_identity(self._path, after) if after else identity(self._path)
        number = int(noted(after, "row")) if after else 0
        step = self._slice_rows()
        while number < self._rows:
            with _parquet(self._path):
                rows = self._lazy().slice(number, step).collect().to_dicts()
            for row in rows:
                number += 1
                yield self._record(number, row), {**same, "row": number}
            if not rows:
                raise SourceError(f"{self._path} ends at row {number} of {self._rows}")

    def _lazy(self) -> pl.LazyFrame:
        import polars as pl

        return pl.scan_parquet(self._path, glob=False, hive_partitioning=False)

    def _slice_rows(self) -> int:
        """So many rows that their bytes in the file are some megabytes."""
        with reading(self._path):
            size = self._path.stat().st_size
        return max(1, min(_MOST_ROWS, MAX_TEXT * self._rows // max(1, size) // 4))

    def _record(self, number: int, row: Mapping[str, object]) -> Record:
        place = f"{self._path}:{number}"
        try:
            given = {name: value for name, value in row.items() if value is not None}
            fields = {name: field_value(self._schema, name, value) for name, value in given.items()}
            return Record(place, self._pictures.fill(fields))
        except HavengateError as error:
            return Record(place, None, error.message)


def _unfit(columns: Mapping[str, pl.DataType], table: TableSpec) -> dict[str, str]:
    """Columns of types that no field takes; bytes are pictures or nothing."""
    import polars as pl

    def kind(name: str, dtype: pl.DataType) -> bool:
        inner = getattr(dtype, "inner", None)
        if inner is not None:
            return kind(name, inner)
        if dtype == pl.Binary:
            return name not in table.schema.base64_fields
        return dtype in (pl.Boolean, pl.Duration, pl.Object)

    return {name: str(dtype) for name, dtype in columns.items() if kind(name, dtype)}


@contextmanager
def _parquet(path: Path) -> Iterator[None]:
    import polars as pl

    try:
        with reading(path):
            yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(f"{path} is no Parquet file that can be read: {first}") from error
