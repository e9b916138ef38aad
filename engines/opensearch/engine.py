"""The engine over an OpenSearch cluster, with the contract's numbers and order."""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from opensearchpy import exceptions

from engines.opensearch.catalog import Catalog
from engines.opensearch.client import connect
from engines.opensearch.cluster import health, require_cluster
from engines.opensearch.deletions import Deletions
from engines.opensearch.edge import translated
from engines.opensearch.generations import Generations
from engines.opensearch.holds import Holds
from engines.opensearch.patience import patiently
from engines.opensearch.published import Publications
from engines.opensearch.refresh import Late
from engines.opensearch.searches import Searches
from engines.opensearch.table import Table
from engines.opensearch.writes import Writes
from havengate.errors import Busy, EngineError, Moved, TimedOut, UnknownTable

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from engines.contract import Explanation, Generation, PoolQuery, Published, RowsQuery, TableSpec, TableStats
    from engines.opensearch.stored import Stored
    from havengate.setting_groups import EngineSettings
    from havengate.types import Pool, Row, Vector
    from schemas.settings import TableSettings

T = TypeVar("T")

_HELD_SHARE = 0.8
"""Of the timeout, which clients are likely to have, too: who waited for a change in vain is to be told why."""


class OpenSearchEngine:
    """Implements engines.contract.Engine. Nothing is asked of the cluster before the first call.

    Of the contract, two things hold in part: a call of several rows appears whole on each shard but not on all
    shards at one instant, and a call that failed half-way may have written some of its rows (docs/opensearch.md).
    """

    def __init__(self, settings: EngineSettings, *, keep_days: int = 90) -> None:
        """``keep_days``: how long published searches are kept."""
        with translated("opening"):
            self._client = connect(settings)
        self._settings = settings
        self._catalog = Catalog(self._client, settings)
        self._searches = Searches(self._client, settings.timeout_s)
        self._late = Late(self._client, settings.timeout_s)
        self._writes = Writes(self._client, settings.timeout_s, self._late if settings.refresh == "none" else None)
        self._holds = Holds(self._client, self._catalog)
        names = self._catalog.all_names
        self._deletions = Deletions(self._client, self._writes, names, settings)
        self._generations = Generations(
            self._client, self._catalog, self._holds, self._searches, late=self._late, timeout_s=settings.timeout_s
        )
        self._publications = Publications(self._client, names, settings, keep_days)
        self._patience_s = settings.timeout_s / 2
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._checked = False
        self._closed = False

    @classmethod
    def open(cls, settings: EngineSettings, *, keep_days: int = 90) -> Self:
        return cls(settings, keep_days=keep_days)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Raises EngineError when rows of ``refresh=none`` cannot be shown."""
        self._closed = True
        try:
            with translated("closing"):
                self._late.close()
        finally:
            self._client.close()

    def examine(self) -> str:
        """The cluster's version and health in words. Raises EngineError with what to do."""
        with translated("looking at the cluster"):
            told = require_cluster(self._client)
            told += f", {health(self._client, f'{self._settings.index_prefix}*')}"
            blocked = [
                f"table {name!r}: {what}" for name in self._catalog.names() for what in self._catalog.blocks(name)
            ]
            if blocked:
                raise EngineError("; ".join(blocked))
            return told

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
            return self._opened(name).spec

    def set_settings(self, name: str, settings: TableSettings) -> None:
        with self._calling(f"changing table {name!r}"):
            self._catalog.set_settings(name, settings)

    def upsert(self, name: str, rows: Sequence[Row], *, generation: str | None = None) -> None:
        self._write(name, lambda table: table.upsert(rows), generation)

    def update_fields(self, name: str, patches: Sequence[Row], *, generation: str | None = None) -> list[str]:
        return self._write(name, lambda table: table.update_fields(patches), generation)

    def delete(self, name: str, pks: Iterable[str]) -> int:
        asked, call = list(dict.fromkeys(pks)), uuid.uuid4().hex
        return self._write(name, lambda table: table.delete(asked, call))

    def fetch(self, name: str, pks: Sequence[str], vector_fields: Iterable[str] = ()) -> dict[str, Row]:
        fields = list(vector_fields)
        return self._read(name, "reading", lambda table: table.fetch(pks, fields))

    def vectors_by_source(self, name: str, field: str, hashes: Iterable[str]) -> dict[str, Vector]:
        asked = list(hashes)
        return self._read(name, "reading", lambda table: table.vectors_by_source(field, asked))

    def pool(self, name: str, query: PoolQuery) -> Pool:
        end = _end(query)
        return self._read(name, "searching", lambda table: table.pool(query, end), query.generation)

    def rows(self, name: str, query: RowsQuery) -> Pool:
        end = _end(query)
        return self._read(name, "searching", lambda table: table.rows(query, end), query.generation)

    def explain(self, name: str, query: PoolQuery | RowsQuery, *, profile: bool = False) -> Explanation:
        return self._read(name, "explaining", lambda table: table.explain(query, profile=profile), query.generation)

    def stats(self, name: str) -> TableStats:
        return self._read(name, "measuring", lambda table: table.stats())

    def scan(self, name: str, after: str | None, limit: int) -> list[Row]:
        return self._read(name, "reading", lambda table: table.scan(after, limit))

    def mark(self, name: str) -> str:
        return self._read(name, "reading", lambda table: table.mark())

    def touched(self, name: str, mark: str) -> list[str]:
        return self._read(name, "reading", lambda table: table.touched(mark))

    def generations(self, name: str) -> list[Generation]:
        with self._calling(f"reading table {name!r}"):
            return patiently(lambda: self._generations.listed(name), self._patience_s)

    def build_generation(self, name: str, spec: TableSpec) -> str:
        with self._calling(f"building a generation of table {name!r}"):
            return self._generations.build(name, spec)

    def use_generation(self, name: str, generation: str, last: Callable[[], None] | None = None) -> None:
        with self._calling(f"changing table {name!r}"):
            self._generations.use(name, generation, last)

    def hold(self, name: str, call: Callable[[], None]) -> None:
        with self._calling(f"holding table {name!r}"):
            self._generations.hold(name, call)

    def drop_generation(self, name: str, generation: str) -> None:
        with self._calling(f"changing table {name!r}"):
            self._generations.drop(name, generation)

    def publish(self, kind: Published, key: str, document: Mapping[str, object]) -> None:
        with self._calling(f"publishing {kind}"):
            self._publications.publish(kind, key, document)

    def _read(self, name: str, doing: str, ask: Callable[[Table], T], generation: str | None = None) -> T:
        """Whole calls are asked again: the pages of one point in time go with the node that held it."""

        def asked(opened: Stored) -> T:
            self._late.now(opened.index)
            return ask(self._table(opened))

        return self._on(name, doing, lambda opened: patiently(lambda: asked(opened), self._patience_s), generation)

    def _write(self, name: str, call: Callable[[Table], T], generation: str | None = None) -> T:
        def tried(opened: Stored) -> T:
            if opened.held:
                raise Busy(f"table {opened.spec.table!r} is being changed; try again later")
            return call(self._table(opened))

        return self._on(name, "writing", tried, generation)

    def _on(self, name: str, doing: str, call: Callable[[Stored], T], generation: str | None) -> T:
        """The call's answer from what the name means, made again where that changed meanwhile.

        Raises Moved where it is not ``generation``.
        """
        deadline = time.monotonic() + _HELD_SHARE * self._settings.timeout_s
        with self._calling(f"{doing} table {name!r}"):
            while True:
                opened = self._opened(name)
                if generation not in (None, opened.generation):
                    opened = self._opened_anew(name, generation)
                try:
                    return call(opened)
                except (exceptions.ConnectionError, TimedOut):
                    raise
                except Busy:
                    self._holds.wait(name, opened, deadline)
                except (exceptions.TransportError, EngineError, UnknownTable):
                    if not self._catalog.moved(name, opened):
                        raise

    def _opened_anew(self, name: str, generation: str | None) -> Stored:
        """For whom remembers another generation than a caller, who may have seen a newer one. Raises Moved."""
        self._catalog.forget(name)
        opened = self._opened(name)
        if opened.generation != generation:
            raise Moved(f"table {name!r} goes on as generation {opened.generation!r} instead of {generation!r}")
        return opened

    def _opened(self, name: str) -> Stored:
        return patiently(lambda: self._catalog.opened(name), self._patience_s)

    def _table(self, opened: Stored) -> Table:
        return Table(
            self._client,
            self._searches,
            self._writes,
            self._deletions,
            opened,
            lock=self._locks[opened.index],
            patience_s=self._patience_s,
        )

    @contextmanager
    def _calling(self, what: str) -> Iterator[None]:
        if self._closed:
            raise EngineError("the engine is closed")
        with translated(what):
            if not self._checked:
                require_cluster(self._client)
                self._checked = True
            yield


def _end(query: PoolQuery | RowsQuery) -> float | None:
    """When the query must be answered, seconds of the monotonic clock."""
    return None if query.deadline_s is None else time.monotonic() + query.deadline_s
