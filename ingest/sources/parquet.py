"""A Parquet file, read by pyarrow in batches: memory holds a batch, however large the file's row groups are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.contract import TableSpec
from havengate.errors import HavengateError, SettingsError, SourceError
from havengate.folder_reader import FolderReader
from ingest.sources.base import Batch, Checkpoint, Record, noted
from ingest.sources.batching import MAX_TEXT, batched
from ingest.sources.beside import PicturesBeside
from ingest.sources.columns import check_columns, check_types, field_value
from ingest.sources.file_identity import reading, unchanged

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_ROWS = 1 << 14
_BUFFER = 1 << 20


class ParquetSource:
    """Rows of a Parquet file; null is a missing value, a list many values or a vector, a struct or map a MAP.

    For a Base64 table a column of bytes holds the pictures themselves, and a text may be a path beside the file.
    Raises RequestError where the columns do not fit the table, SourceError for what is no Parquet file, SettingsError
    without pyarrow.
    """

    def __init__(self, path: Path, table: TableSpec, *, max_picture: int) -> None:
        self._path = path
        self._schema = table.schema
        self._pictures = PicturesBeside(FolderReader(path.parent), table.schema, max_picture)
        with _opened(path) as file:
            columns = file.schema_arrow
            self._rows = int(file.metadata.num_rows)
        check_columns(str(path), list(columns.names), table.schema)
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
        done = int(noted(after, "row")) if after else 0
        with unchanged(self._path, after) as same, _opened(self._path) as file:
            for number, row in self._rows_after(file, done):
                yield self._record(number, row), {**same, "row": number}

    def _rows_after(self, file: Any, done: int) -> Iterator[tuple[int, Mapping[str, object]]]:
        """Rows with their numbers from 1 on; row groups that are done are not read."""
        number, groups = 0, list(range(file.metadata.num_row_groups))
        while groups and number + (rows := file.metadata.row_group(groups[0]).num_rows) <= done:
            number += rows
            groups.pop(0)
        if not groups:
            return
        for batch in file.iter_batches(batch_size=self._batch_rows(), row_groups=groups):
            skipped = min(batch.num_rows, max(0, done - number))
            number += skipped
            for row in _plain_times(batch.slice(skipped)).to_pylist(maps_as_pydicts="lossy"):
                number += 1
                yield number, row

    def _batch_rows(self) -> int:
        """So many rows that their bytes in the file are some megabytes."""
        with reading(self._path):
            size = self._path.stat().st_size
        return max(1, min(_MOST_ROWS, MAX_TEXT * self._rows // max(1, size) // 4))

    def _record(self, number: int, row: Mapping[str, object]) -> Record:
        place = f"{self._path}:{number}"
        given = {name: value for name, value in row.items() if value is not None}
        try:
            fields = {name: field_value(self._schema, name, value) for name, value in given.items()}
            return Record(place, self._pictures.fill(fields))
        except HavengateError as error:
            return Record(place, None, error.message, self._pictures.key(given))


def _plain_times(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Python's times have microseconds; finer ones are cut."""
    import pyarrow as pa

    for place, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            kind = pa.timestamp("us", field.type.tz)
            batch = batch.set_column(place, field.with_type(kind), batch.column(place).cast(kind, safe=False))
    return batch


def _unfit(columns: pa.Schema, table: TableSpec) -> dict[str, str]:
    """Columns of types that no field takes; bytes are pictures or nothing."""
    import pyarrow as pa

    def unfit(name: str, kind: pa.DataType) -> bool:
        if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            return unfit(name, kind.value_type)
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
            return name not in table.schema.base64_fields
        return bool(pa.types.is_boolean(kind) or pa.types.is_duration(kind))

    return {column.name: str(column.type) for column in columns if unfit(column.name, column.type)}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The open file; what is wrong with it, also while its rows are read, is the source's error."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise SettingsError(f"Parquet files need {error.name}: pip install 'havengate[parquet]'") from error
    try:
        # Without a buffer the whole of a row group's column is read at once.
        options = {"pre_buffer": False, "buffer_size": _BUFFER, "page_checksum_verification": True}
        with reading(path), parquet.ParquetFile(path, **options) as file:
            yield file
    except (pa.ArrowException, ValueError, MemoryError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(f"{path} is no Parquet file that can be read: {first}") from error
