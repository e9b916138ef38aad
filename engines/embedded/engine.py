"""The engine of one machine: SQLite keeps the rows, memory answers, the search is exact."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from engines.embedded.catalog import Catalog
from engines.embedded.edge import translated
from engines.embedded.lock import FolderLock
from engines.embedded.pool import matching_rows, nearest_rows
from engines.embedded.table import Table
from havengate.errors import EngineError, TableExists, UnknownTable

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from engines.contract import PoolQuery, RowsQuery, TableSpec, TableStats
    from havengate.types import Pool, Row, Vector
    from schemas.settings import TableSettings


class EmbeddedEngine:
    """Implements engines.contract.Engine over one data folder, which it holds alone until ``close``.

    >>> engine = EmbeddedEngine.open(Path("havengate-data"))  # doctest: +SKIP
    """

    def __init__(self, data_dir: Path, wait_s: float = 0) -> None:
        """Makes the folder if need be and waits for its lock up to ``wait_s`` seconds.

        Raises DataFolderBusy naming the process that holds it.
        """
        self._mutex = threading.Lock()
        self._tables: dict[str, Table] = {}
        with translated(f"opening data folder {data_dir}"):
            self._lock: FolderLock | None = FolderLock(data_dir, wait_s)
            try:
                self._catalog = Catalog(data_dir)
            except BaseException:
                self.close()
                raise

    @classmethod
    def open(cls, data_dir: Path, wait_s: float = 0) -> Self:
        return cls(data_dir, wait_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._mutex:
            for table in self._tables.values():
                table.close()
            self._tables.clear()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def create_table(self, spec: TableSpec) -> None:
        with self._changing(f"creating table {spec.name!r}"):
            if spec.name in self._catalog:
                raise TableExists(f"table {spec.name!r} exists")
            self._catalog.create(spec)

    def drop_table(self, name: str) -> None:
        with self._changing(f"dropping table {name!r}"):
            self._require(name)
            if name in self._tables:
                self._tables.pop(name).close()
            self._catalog.drop(name)

    def table_names(self) -> list[str]:
        with self._changing("listing tables"):
            return self._catalog.names()

    def table(self, name: str) -> TableSpec:
        return self._table(name).spec

    def set_settings(self, name: str, settings: TableSettings) -> None:
        table = self._table(name)
        with self._changing(f"changing table {name!r}"):
            spec = replace(table.spec, settings=settings)
            self._catalog.write_spec(spec)
            table.spec = spec

    def upsert(self, name: str, rows: Sequence[Row]) -> None:
        self._table(name).upsert(rows)

    def update_fields(self, name: str, patches: Sequence[Row]) -> list[str]:
        return self._table(name).update_fields(patches)

    def delete(self, name: str, pks: Iterable[str]) -> int:
        return self._table(name).delete(pks)

    def fetch(self, name: str, pks: Sequence[str], vector_fields: Iterable[str] = ()) -> dict[str, Row]:
        return self._table(name).fetch(pks, list(vector_fields))

    def vectors_by_source(self, name: str, field: str, hashes: Iterable[str]) -> dict[str, Vector]:
        return self._table(name).vectors_by_source(field, list(hashes))

    def pool(self, name: str, query: PoolQuery) -> Pool:
        table = self._table(name)
        return nearest_rows(table.snapshot, table.spec.schema, query)

    def rows(self, name: str, query: RowsQuery) -> Pool:
        table = self._table(name)
        return matching_rows(table.snapshot, table.spec.schema, query)

    def stats(self, name: str) -> TableStats:
        return self._table(name).stats()

    def _table(self, name: str) -> Table:
        table = self._tables.get(name)
        if table is not None:
            return table
        with self._changing(f"opening table {name!r}"):
            self._require(name)
            if name not in self._tables:
                self._tables[name] = Table(self._catalog.read_spec(name), self._catalog.folder(name))
            return self._tables[name]

    def _require(self, name: str) -> None:
        if name not in self._catalog:
            raise UnknownTable(f"no table {name!r}")

    @contextmanager
    def _changing(self, what: str) -> Iterator[None]:
        """One at a time, and only while the folder is held."""
        with self._mutex, translated(what):
            if self._lock is None:
                raise EngineError("the engine is closed")
            yield
