"""One MaxCompute table over pyodps: its columns and partitions, and its rows in slices through the tunnel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from odps import ODPS
from odps.config import option_context
from odps.errors import BaseODPSError, NoSuchObject, StreamTruncatedException
from odps.tunnel import TableTunnel
from odps.tunnel.pb.errors import DecodeError
from odps.tunnel.retry import NoRetryPolicy, RetryPolicy, TunnelRetryHandler
from odps.tunnel.tabletunnel import TableDownloadSession
from urllib3.exceptions import HTTPError

from havengate.errors import SourceAway, SourceChanged, SourceError

if TYPE_CHECKING:
    from odps.models import Table

    from havengate.setting_groups import SourceSettings

_PAUSES_S = (1.0, 4.0)
_AGAIN = (308, 408, 429)
_INTEGERS = ("tinyint", "smallint", "int", "bigint")
_SAID = 300
_SLICE_ROWS = 4096
_SLICE_BYTES = 32 << 20
# requests' own errors, and those of urllib3 and of the decoder that come through while rows stream.
_BROKEN = (OSError, HTTPError, DecodeError)
ResultT = TypeVar("ResultT")
Cells = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """``type`` as MaxCompute writes it, in lower case, such as ``array<float>``."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class State:
    """What tells a table or partition from a changed one: its number of rows and when they were last written."""

    rows: int
    modified: int


@dataclass(frozen=True, slots=True)
class _Held:
    partition: str | None
    session: TableDownloadSession
    state: State


class MaxComputeTable:
    """``keys`` are an AccessKey's id and secret. Raises SourceError, or SourceAway where trying again may help."""

    def __init__(self, project: str, table: str, settings: SourceSettings, keys: tuple[str, str]) -> None:
        self._name = f"maxcompute://{project}/{table}"
        self._keys = keys
        self._timeout_s = max(1, int(settings.timeout_s))
        self._held: _Held | None = None

        def connect() -> Table:
            # Given as endpoint, what pyodps makes links to its web pages with need not be asked for.
            self._odps = ODPS(
                *keys,
                project=project,
                endpoint=settings.maxcompute_endpoint,
                tunnel_endpoint=settings.maxcompute_tunnel or None,
                logview_host=settings.maxcompute_endpoint,
                overwrite_global=False,
            )
            self._tunnel = TableTunnel(self._odps)
            found = self._odps.get_table(table)
            found.reload()
            return found

        self._table = self._tried(connect)
        schema = self._table.table_schema
        self.columns = tuple(Column(c.name, str(c.type).lower()) for c in schema.simple_columns)
        self.partition_keys = tuple(key.name for key in schema.partitions)
        self._by_number = [str(key.type).lower() in _INTEGERS for key in schema.partitions]

    def partitions(self, prefix: str = "") -> list[str]:
        """Partitions as ``ds=20260101,region=cn`` in the order of their values, those that begin with ``prefix``."""

        def listed() -> list[str]:
            found = self._table.partitions.iterate_partitions(prefix or None)
            return sorted((str(part.partition_spec).replace("'", "") for part in found), key=self._order)

        return self._tried(listed)

    def state(self, partition: str | None) -> State:
        """Of the table, or of one partition of a table that has them; asks anew each time."""

        def asked() -> State:
            self._held = self._open(partition)
            return self._held.state

        return self._tried(asked)

    def read(self, partition: str | None, start: int, columns: Sequence[str]) -> list[Cells]:
        """The next rows from number ``start`` on, some megabytes of them; empty after the last.

        A cell is None, bytes for STRING too, a DATETIME in UTC, or what else pyodps makes of it. Raises SourceChanged
        where the rows were written since ``state`` was asked.
        """

        def slice_() -> list[Cells]:
            held = self._held if self._held and self._held.partition == partition else self._open(partition)
            try:
                self._held = held
                return _rows(held.session, start, columns)
            except (BaseODPSError, *_BROKEN):
                # A session lives for a day, and whoever embeds may have taken longer.
                fresh = self._open(partition)
            if fresh.state != held.state:
                raise SourceChanged(f"{self._name} {partition or ''} was written while it was read: begin a new job")
            self._held = fresh
            return _rows(fresh.session, start, columns)

        return self._tried(slice_)

    def _open(self, partition: str | None) -> _Held:
        holder = self._table if partition is None else self._table.partitions[partition]
        holder.reload()
        modified = holder.last_data_modified_time
        # pyodps' own way to a session waits for two minutes, or for ever, where nobody can cancel it.
        table = self._tunnel._get_tunnel_table(self._table)  # noqa: SLF001
        session = _Session(self._tunnel.tunnel_rest, table, partition, timeout=self._timeout_s)
        return _Held(partition, session, State(session.count, int(modified.timestamp()) if modified else 0))

    def _order(self, spec: str) -> list[tuple[int, str]]:
        values = [pair.partition("=")[2] for pair in spec.split(",")]
        return [
            (int(value) if number and value.isdecimal() else 0, value)
            for number, value in zip(self._by_number, values, strict=True)
        ]

    def _tried(self, call: Callable[[], ResultT]) -> ResultT:
        for pause_s in _PAUSES_S:
            try:
                return self._asked(call)
            except SourceAway:
                time.sleep(pause_s)
        return self._asked(call)

    def _asked(self, call: Callable[[], ResultT]) -> ResultT:
        options = {
            "retry_times": 0,
            "connect_timeout": self._timeout_s,
            "read_timeout": self._timeout_s,
            "use_legacy_logview": True,
            "local_timezone": False,
            "tunnel.string_as_binary": True,
            "tunnel.require_stream_footer": True,
        }
        with self._translated(), option_context() as local:
            for name, value in options.items():
                group, _, last = name.rpartition(".")
                setattr(local.tunnel if group else local, last, value)
            return call()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except NoSuchObject as error:
            raise SourceError(f"{self._name}: {self._said(error)}") from None
        except BaseODPSError as error:
            status = error.status_code
            passing = status is None or status >= 500 or status in _AGAIN  # noqa: PLR2004  HTTP's own
            raise (SourceAway if passing else SourceError)(f"{self._name}: {self._said(error)}") from None
        except _BROKEN as error:
            raise SourceAway(f"{self._name} does not answer: {type(error).__name__}") from None
        except (ValueError, TypeError, AttributeError, LookupError, SyntaxError) as error:
            raise SourceError(f"{self._name}: an answer that pyodps cannot read ({type(error).__name__})") from None

    def _said(self, error: BaseODPSError) -> str:
        """The service's words in one line, without the keys, which it likes to repeat."""
        text = " ".join(f"{error.code or ''} {error.args[0]}".split())
        for key in self._keys:
            text = text.replace(key, "********")
        return text[:_SAID]


def _rows(session: TableDownloadSession, start: int, columns: Sequence[str]) -> list[Cells]:
    rows: list[Cells] = []
    size = 0
    wanted = min(_SLICE_ROWS, session.count - start)
    if wanted <= 0:
        return []
    with session.open_record_reader(start, wanted, columns=list(columns), append_partitions=False) as reader:
        for record in reader:
            cells = tuple(record.values)
            rows.append(cells)
            size += sum(len(cell) for cell in cells if isinstance(cell, (bytes, str)))
            if size >= _SLICE_BYTES:
                return rows
    if len(rows) != wanted:
        raise StreamTruncatedException(f"{len(rows)} of {wanted} rows came", len(rows))
    return rows


class _NoRetry(TunnelRetryHandler):  # type: ignore[misc]  # pyodps has no types
    def get_retry_policy(self, _status: int | None) -> RetryPolicy:
        return NoRetryPolicy()


class _Session(TableDownloadSession):  # type: ignore[misc]  # pyodps has no types
    __slots__ = ()

    @property
    def retry_handler(self) -> TunnelRetryHandler:
        return _NoRetry()
