"""A MaxCompute table: ``maxcompute://PROJECT/TABLE?partition=ds=20260101,region=cn``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

from havengate.errors import HavengateError, RequestError, SettingsError, SourceChanged, SourceError
from ingest.sources.base import Batch, Checkpoint, Record, noted
from ingest.sources.batching import batched
from ingest.sources.columns import check_columns, check_types, field_value

if TYPE_CHECKING:
    from engines.contract import TableSpec
    from havengate.setting_groups import SourceSettings
    from ingest.sources.maxcompute_tunnel import Cells, Column, MaxComputeTable, State

SCHEME = "maxcompute"
NEWEST = ("latest", "max")
_OPTIONS = ("columns", "partition")
_ADDRESS = re.compile(r"maxcompute://([A-Za-z]\w*)/([A-Za-z_]\w*)(?:\?(.*))?", re.ASCII | re.IGNORECASE | re.DOTALL)
_NO_FIELD = re.compile(r"\b(boolean|timestamp|timestamp_ntz|interval\w*|struct)\b")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Address:
    """``partition`` is "" for none, one of NEWEST, or the first or all of a partition's key=value pairs."""

    project: str
    table: str
    partition: str = ""
    columns: tuple[str, ...] | None = None

    def __str__(self) -> str:
        options = [f"partition={self.partition}"] if self.partition else []
        options += [f"columns={','.join(self.columns)}"] if self.columns else []
        return f"{SCHEME}://{self.project}/{self.table}" + (f"?{'&'.join(options)}" if options else "")


def read_address(text: str) -> Address:
    """Raises RequestError, which repeats no option's value: somebody may have put a key there."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise RequestError("a MaxCompute source is maxcompute://PROJECT/TABLE?partition=ds=20260101,region=cn")
    project, table, query = match.groups()
    options: dict[str, str] = {}
    for pair in (query or "").split("&") if query else ():
        name, equals, value = pair.partition("=")
        if name not in _OPTIONS or not equals or name in options:
            raise RequestError(f"a MaxCompute source has the options {' and '.join(_OPTIONS)}, each once")
        options[name] = unquote(value)
    columns = tuple(name.strip() for name in options["columns"].split(",")) if "columns" in options else None
    return Address(project, table, _canonical(options.get("partition", "")), columns)


def newest_partition(text: str, settings: SourceSettings) -> str | None:
    """The newest partition with rows of a source's table, by its first key, such as ``ds=20260102``.

    None where there is none, the table has no partitions, or the source is no MaxCompute table. Raises SourceError,
    SourceAway.
    """
    if not text.lower().startswith(f"{SCHEME}://"):
        return None
    table = _open_table(read_address(text), settings)
    return _newest(table) if table.partition_keys else None


class MaxComputeSource:
    """Rows of an unpartitioned table, or of the partitions that the address begins to name, in the order of values.

    Columns are fields of the same name in any case; a partition's keys are fields where the table has them. Raises
    RequestError where the columns do not fit, or a partition is missing or unknown, SettingsError without keys.
    """

    def __init__(self, address: Address, table: TableSpec, settings: SourceSettings) -> None:
        self._address = address
        self._schema = table.schema
        self._table = _open_table(address, settings)
        self._prefix = self._resolved()
        columns = {self._field(column.name): column for column in self._wanted()}
        keys = {self._field(key): key for key in self._table.partition_keys}
        self._keys = {field: key for field, key in keys.items() if field in table.schema.fields}
        check_columns(self.name, [*columns, *self._keys], table.schema)
        check_types(self.name, {name: c.type for name, c in columns.items() if self._is_unfit(name, c)})
        self._columns = columns

    @property
    def name(self) -> str:
        return str(self._address)

    def count(self) -> int | None:
        return sum(self._table.state(partition).rows for partition in self._partitions(self._prefix))

    def left_out(self) -> int:
        return 0

    def batches(self, after: Checkpoint | None, size: int) -> Iterator[Batch]:
        return batched(self._records(after), size)

    def _records(self, after: Checkpoint | None) -> Iterator[tuple[Record, Checkpoint]]:
        prefix = noted(after, "prefix") if after else self._prefix
        for partition in self._partitions(prefix):
            started = after is not None and noted(after, "partition") == (partition or "")
            if after is not None and not started:
                continue
            state = self._table.state(partition)
            if after is not None and (after.get("rows"), after.get("modified")) != (state.rows, state.modified):
                raise SourceChanged(f"{self._place(partition)} was written since it began to be read: begin a new job")
            first = int(noted(after, "row")) if after is not None else 0
            after = None
            yield from self._partition(prefix, partition, state, first)
        if after is not None:
            raise SourceChanged(f"{self.name}: partition {after['partition']!r} is gone since it began to be read")

    def _partition(
        self, prefix: str, partition: str | None, state: State, number: int
    ) -> Iterator[tuple[Record, Checkpoint]]:
        same = {"prefix": prefix, "partition": partition or "", "rows": state.rows, "modified": state.modified}
        names = [column.name for column in self._columns.values()]
        while number < state.rows:
            rows = self._table.read(partition, number, names)
            if not rows:
                raise SourceChanged(f"{self._place(partition)} has {number} rows, it had {state.rows}")
            for cells in rows:
                number += 1
                yield self._record(partition, number, cells), {**same, "row": number}

    def _record(self, partition: str | None, number: int, cells: Cells) -> Record:
        place = f"{self._place(partition)}:{number}"
        spec = dict(pair.split("=", 1) for pair in partition.split(",")) if partition else {}
        try:
            fields: dict[str, object] = {field: spec[key] for field, key in self._keys.items()}
            for (field, column), cell in zip(self._columns.items(), cells, strict=True):
                if cell is not None:
                    fields[field] = field_value(self._schema, field, _native(column, cell))
            return Record(place, fields)
        except HavengateError as error:
            return Record(place, None, error.message)

    def _place(self, partition: str | None) -> str:
        name = f"{self._address.project}.{self._address.table}"
        return f"{name}/{partition}" if partition else name

    def _resolved(self) -> str:
        """The partition that is meant by the address, its newest one if that is asked for."""
        wanted, keys = self._address.partition, self._table.partition_keys
        if not keys:
            if wanted:
                raise RequestError(f"{self.name}: the table has no partitions")
            return ""
        if wanted in NEWEST:
            newest = _newest(self._table)
            if newest is None:
                raise SourceError(f"{self.name}: no partition has rows")
            return newest
        given = [pair.partition("=")[0] for pair in wanted.split(",")] if wanted else []
        if not given or given != list(keys[: len(given)]):
            raise RequestError(
                f"{self.name}: a partition has to be named by {', '.join(keys)} in this order, "
                f"or partition=latest; {self._shown()}"
            )
        if not self._table.partitions(wanted):
            raise RequestError(f"{self.name}: no such partition; {self._shown()}")
        return wanted

    def _shown(self) -> str:
        newest = self._table.partitions()[-_SHOWN:]
        return f"the newest are: {'; '.join(reversed(newest))}" if newest else "the table has none yet"

    def _partitions(self, prefix: str) -> list[str | None]:
        return list(self._table.partitions(prefix)) if prefix else [None]

    def _wanted(self) -> tuple[Column, ...]:
        there = {column.name: column for column in self._table.columns}
        if self._address.columns is None:
            return self._table.columns
        unknown = [repr(name) for name in self._address.columns if name.lower() not in there]
        if unknown:
            raise RequestError(f"{self.name}: no column {', '.join(unknown)}; there are: {', '.join(there)}")
        wanted = {name.lower() for name in self._address.columns}
        # In the table's own order, whatever the tunnel makes of another.
        return tuple(column for column in self._table.columns if column.name in wanted)

    def _field(self, column: str) -> str:
        """MaxCompute knows no capital letters, fields do."""
        same = [name for name in self._schema.fields if name.lower() == column]
        return same[0] if len(same) == 1 else column

    def _is_unfit(self, field: str, column: Column) -> bool:
        binary = "binary" in column.type and field not in self._schema.base64_fields
        return binary or _NO_FIELD.search(column.type) is not None


def _open_table(address: Address, settings: SourceSettings) -> MaxComputeTable:
    try:
        from ingest.sources.maxcompute_tunnel import MaxComputeTable
    except ModuleNotFoundError as error:
        raise SettingsError(f"{SCHEME}:// needs pyodps: pip install 'havengate[maxcompute]'") from error
    given = {
        "MAXCOMPUTE_ENDPOINT": settings.maxcompute_endpoint,
        "MAXCOMPUTE_ACCESS_KEY_ID": settings.maxcompute_access_key_id,
        "MAXCOMPUTE_ACCESS_KEY_SECRET": settings.maxcompute_access_key_secret.get_secret_value(),
    }
    missing = [f"HAVENGATE_SOURCES__{name}" for name, value in given.items() if not value]
    if missing:
        raise SettingsError(f"{SCHEME}:// needs {', '.join(missing)}")
    _, id_, secret = given.values()
    return MaxComputeTable(address.project, address.table, settings, (id_, secret))


def _newest(table: MaxComputeTable) -> str | None:
    """By the first key, as MAX_PT of MaxCompute's SQL: a partition that somebody has made and not filled is none."""
    for partition in reversed(table.partitions()):
        if table.state(partition).rows:
            return partition.partition(",")[0]
    return None


def _canonical(partition: str) -> str:
    pairs = [pair.strip() for pair in partition.replace("/", ",").split(",") if pair.strip()]
    if pairs and not (len(pairs) == 1 and pairs[0].lower() in NEWEST):
        split = [[side.strip().strip("'\"") for side in pair.partition("=")[::2]] for pair in pairs]
        if not all(key and value and "=" not in value for key, value in split):
            raise RequestError("partition is KEY=VALUE pairs joined by commas, latest or max")
        return ",".join(f"{key.lower()}={value}" for key, value in split)
    return partition.strip().lower()


def _native(column: Column, cell: object) -> object:
    """A cell as Python's own types: bytes as text unless the column is of bytes, points in time in UTC."""
    if isinstance(cell, bytes):
        # Not UTF-8: lone surrogates, which no field takes.
        return cell if column.type == "binary" else cell.decode(errors="surrogateescape")
    if isinstance(cell, list):
        return [_native(column, item) for item in cell]
    if isinstance(cell, Mapping):
        return {_native(column, key): _native(column, item) for key, item in cell.items()}
    if isinstance(cell, datetime) and cell.tzinfo is None:
        return cell.replace(tzinfo=UTC)
    return cell.tolist() if hasattr(cell, "tolist") else cell
