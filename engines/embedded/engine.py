"""The engine of one machine: SQLite keeps the rows, memory answers, the search is exact."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from engines.embedded import generations
from engines.embedded.catalog import Catalog
from engines.embedded.edge import translated
from engines.embedded.explain import explained
from engines.embedded.lock import FolderLock
from engines.embedded.pool import matching_rows, nearest_rows
from engines.embedded.table import Replaced, Table
from havengate.errors import EngineError, TableExists, UnknownTable

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from engines.contract import Explanation, Generation, PoolQuery, Progress, RowsQuery, TableSpec, TableStats
    from havengate.types import Pool, Row, Vector
    from schemas.settings import TableSettings

T = TypeVar("T")


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
        self._on(name, lambda table: table.set_settings(self._catalog, settings))

    def upsert(self, name: str, rows: Sequence[Row]) -> None:
        self._on(name, lambda table: table.upsert(rows))

    def update_fields(self, name: str, patches: Sequence[Row]) -> list[str]:
        return self._on(name, lambda table: table.update_fields(patches))

    def delete(self, name: str, pks: Iterable[str]) -> int:
        asked = list(dict.fromkeys(pks))
        return self._on(name, lambda table: table.delete(asked))

    def fetch(self, name: str, pks: Sequence[str], vector_fields: Iterable[str] = ()) -> dict[str, Row]:
        fields = list(vector_fields)
        return self._on(name, lambda table: table.fetch(pks, fields))

    def vectors_by_source(self, name: str, field: str, hashes: Iterable[str]) -> dict[str, Vector]:
        asked = list(hashes)
        return self._on(name, lambda table: table.vectors_by_source(field, asked))

    def pool(self, name: str, query: PoolQuery) -> Pool:
        return self._on(name, lambda table: nearest_rows(table.snapshot, table.spec.schema, query))

    def rows(self, name: str, query: RowsQuery) -> Pool:
        return self._on(name, lambda table: matching_rows(table.snapshot, table.spec.schema, query))

    def explain(self, name: str, query: PoolQuery | RowsQuery, *, profile: bool = False) -> Explanation:
        return self._on(name, lambda table: explained(table.snapshot, table.spec.schema, query, profile=profile))

    def stats(self, name: str) -> TableStats:
        return self._on(name, lambda table: table.stats())

    def generations(self, name: str) -> list[Generation]:
        with translated(f"listing generations of table {name}"):
            return self._on(name, lambda _: generations.listed(self._catalog, name))

    def change_table(self, name: str, spec: TableSpec, progress: Progress) -> Generation:
        with translated(f"changing table {name}"):
            made = self._on(name, lambda table: generations.change(table, self._catalog, spec, progress))
            return generations.describe(self._catalog, name, made, current=True)

    def use_generation(self, name: str, generation: str) -> None:
        with translated(f"changing table {name}"):
            self._on(name, lambda table: generations.use(table, self._catalog, generation))

    def drop_generation(self, name: str, generation: str) -> None:
        with translated(f"changing table {name}"):
            self._on(name, lambda table: generations.drop(table, self._catalog, generation))

    def _on(self, name: str, call: Callable[[Table], T]) -> T:
        """The call's answer from the generation that is current."""
        while True:
            try:
                return call(self._table(name))
            except Replaced:
                continue

    def _table(self, name: str) -> Table:
        table = self._tables.get(name)
        if table is not None:
            return table.newest
        with self._changing(f"opening table {name!r}"):
            self._require(name)
            if name not in self._tables:
                self._catalog.clear(name)
                self._tables[name] = Table(self._catalog.read_spec(name), self._catalog.folder(name))
            return self._tables[name].newest

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
