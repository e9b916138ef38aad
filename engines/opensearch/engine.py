"""The engine over an OpenSearch cluster, with the contract's numbers and order."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from opensearchpy import exceptions

from engines.opensearch.catalog import Catalog
from engines.opensearch.client import connect
from engines.opensearch.cluster import health, require_cluster
from engines.opensearch.edge import translated
from engines.opensearch.patience import patiently
from engines.opensearch.searches import Searches
from engines.opensearch.table import Table
from engines.opensearch.writes import Writes
from havengate.errors import EngineError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from engines.contract import PoolQuery, RowsQuery, TableSpec, TableStats
    from havengate.settings import EngineSettings
    from havengate.types import Pool, Row, Vector
    from schemas.settings import TableSettings

T = TypeVar("T")


class OpenSearchEngine:
    """Implements engines.contract.Engine. Nothing is asked of the cluster before the first call.

    Of the contract, two things hold in part: a call of several rows appears whole on each shard but not on all
    shards at one instant, and a call that failed half-way may have written some of its rows (docs/opensearch.md).
    """

    def __init__(self, settings: EngineSettings) -> None:
        with translated("opening"):
            self._client = connect(settings)
        self._settings = settings
        self._catalog = Catalog(self._client, settings)
        self._searches = Searches(self._client)
        self._writes = Writes(self._client, settings.timeout_s)
        self._patience_s = settings.timeout_s / 2
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._checked = False
        self._closed = False

    @classmethod
    def open(cls, settings: EngineSettings) -> Self:
        return cls(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._closed = True
        self._client.close()

    def examine(self) -> str:
        """The cluster's version and health in words. Raises EngineError with what to do."""
        with translated("looking at the cluster"):
            return f"{require_cluster(self._client)}, {health(self._client, f'{self._settings.index_prefix}*')}"

    def create_table(self, spec: TableSpec) -> None:
        with self._calling(f"creating table {spec.name!r}"):
            self._catalog.create(spec)

    def drop_table(self, name: str) -> None:
        with self._calling(f"dropping table {name!r}"):
            self._catalog.drop(name)

    def table_names(self) -> list[str]:
        with self._calling("listing tables"):
            return patiently(self._catalog.names, self._patience_s)

    def table(self, name: str) -> TableSpec:
        with self._calling(f"reading table {name!r}"):
            return patiently(lambda: self._catalog.spec(name), self._patience_s)

    def set_settings(self, name: str, settings: TableSettings) -> None:
        with self._calling(f"changing table {name!r}"):
            self._catalog.set_settings(name, settings)

    def upsert(self, name: str, rows: Sequence[Row]) -> None:
        with self._table(name, "writing") as table:
            table.upsert(rows)

    def update_fields(self, name: str, patches: Sequence[Row]) -> list[str]:
        with self._table(name, "writing") as table:
            return table.update_fields(patches)

    def delete(self, name: str, pks: Iterable[str]) -> int:
        with self._table(name, "writing") as table:
            return table.delete(pks)

    def fetch(self, name: str, pks: Sequence[str], vector_fields: Iterable[str] = ()) -> dict[str, Row]:
        fields = list(vector_fields)
        return self._read(name, "reading", lambda table: table.fetch(pks, fields))

    def vectors_by_source(self, name: str, field: str, hashes: Iterable[str]) -> dict[str, Vector]:
        wanted = list(hashes)
        return self._read(name, "reading", lambda table: table.vectors_by_source(field, wanted))

    def pool(self, name: str, query: PoolQuery) -> Pool:
        return self._read(name, "searching", lambda table: table.pool(query))

    def rows(self, name: str, query: RowsQuery) -> Pool:
        return self._read(name, "searching", lambda table: table.rows(query))

    def stats(self, name: str) -> TableStats:
        return self._read(name, "measuring", lambda table: table.stats())

    def _read(self, name: str, doing: str, ask: Callable[[Table], T]) -> T:
        """Whole calls are asked again: the pages of one point in time go with the node that held it."""
        with self._using(name, doing):
            return patiently(lambda: ask(self._open(name)), self._patience_s)

    @contextmanager
    def _table(self, name: str, doing: str) -> Iterator[Table]:
        with self._using(name, doing):
            yield patiently(lambda: self._open(name), self._patience_s)

    def _open(self, name: str) -> Table:
        return Table(
            self._client,
            self._searches,
            self._writes,
            self._catalog.alias(name),
            schema=self._catalog.spec(name).schema,
            lock=self._locks[name],
            patience_s=self._patience_s,
        )

    @contextmanager
    def _using(self, name: str, doing: str) -> Iterator[None]:
        with self._calling(f"{doing} table {name!r}"):
            try:
                yield
            except (exceptions.TransportError, EngineError) as error:
                if not isinstance(error, exceptions.ConnectionError):
                    self._catalog.require_still(name)
                raise

    @contextmanager
    def _calling(self, what: str) -> Iterator[None]:
        if self._closed:
            raise EngineError("the engine is closed")
        with translated(what):
            if not self._checked:
                require_cluster(self._client)
                self._checked = True
            yield
