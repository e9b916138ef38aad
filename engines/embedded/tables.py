"""The tables that are open: which generation a name means now, and the instant at which that changes.

Two kinds of locks, always taken in this order: a generation's own (its writers', its memory's), then the mutex of this
registry. So nothing that waits for a writer or a holder may hold the mutex.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from engines.contract import Generation, at, generation_of, table_of
from engines.embedded.catalog import Catalog, age
from engines.embedded.edge import translated
from engines.embedded.lock import FolderLock
from engines.embedded.table import Replaced, Table
from havengate.errors import EngineError, RequestError, TableExists, UnknownGeneration, UnknownTable

if TYPE_CHECKING:
    from pathlib import Path

    from engines.contract import TableSpec

T = TypeVar("T")


class OpenTables:
    """The tables of one data folder, which it holds alone until ``close``."""

    def __init__(self, data_dir: Path, wait_s: float) -> None:
        """Raises DataFolderBusy, EngineError."""
        self._mutex = threading.Lock()
        self._current: dict[str, Table] = {}
        self._others: dict[str, Table] = {}
        self._leaving: set[str] = set()
        with translated(f"opening data folder {data_dir}"):
            self._lock: FolderLock | None = FolderLock(data_dir, wait_s)
            try:
                self._catalog = Catalog(data_dir)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        with self._mutex:
            lock, self._lock = self._lock, None
            tables = [*self._current.values(), *self._others.values()]
            self._current, self._others = {}, {}
            for table in tables:
                table.doom()
        try:
            for table in tables:
                table.close()
        finally:
            if lock is not None:
                lock.release()

    def names(self) -> list[str]:
        with self._changing("listing tables"):
            return [name for name in self._catalog.names() if name not in self._leaving]

    def create(self, spec: TableSpec) -> None:
        with self._changing(f"creating table {spec.name!r}"):
            if spec.name in self._catalog:
                raise TableExists(f"table {spec.name!r} exists")
            self._catalog.create(spec)

    def drop(self, name: str) -> None:
        self._whole(name, f"dropping table {name!r}")
        with self._left(name, f"dropping table {name!r}"):
            self._catalog.drop(name)

    def on(self, address: str, call: Callable[[Table], T]) -> T:
        """The call's answer from the generation that the address means, asked again when that changed meanwhile."""
        while True:
            try:
                return call(self.table(address))
            except Replaced:
                continue

    def table(self, address: str) -> Table:
        """Raises UnknownTable, UnknownGeneration."""
        found = self._find(address)
        if found is not None:
            return found
        name = table_of(address)
        with self._changing(f"opening table {address!r}"):
            self._require(name)
            if name not in self._current:
                self._catalog.clear(name)
                self._current[name] = self._opened(name, None)
            if address in self._leaving:
                raise UnknownGeneration(f"generation {address!r} is being dropped")
            found = self._find(address)
            if found is None:
                found = self._others[address] = self._opened(name, generation_of(address))
            return found

    def generations(self, name: str) -> list[Generation]:
        while True:
            with self._changing(f"listing generations of table {name!r}"):
                self._require(name)
                current, *_ = names = self._catalog.generations(name)
                building = self._catalog.building(name)
            try:
                return [
                    Generation(each, self.on(at(name, each), Table.count), each == current, each == building)
                    for each in sorted(names, key=age)
                ]
            except UnknownGeneration:
                continue  # dropped between the list and its count

    def build(self, name: str, spec: TableSpec) -> str:
        with self._changing(f"building a generation of table {name!r}"):
            self._require(name)
            return self._catalog.build(name, spec)

    def hold(self, name: str, call: Callable[[], None]) -> None:
        self._on_current(name, lambda table: _held(table, call))

    def use(self, name: str, generation: str, last: Callable[[], None] | None) -> None:
        # Loaded before anybody has to wait: searches go on in the current one meanwhile.
        self._on_current(name, lambda current: self._ready(current, generation))
        self._on_current(name, lambda current: self._use(current, generation, last))

    def write_spec(self, spec: TableSpec) -> None:
        """The caller holds the writers of that generation."""
        self._catalog.write_spec(spec)

    def drop_generation(self, name: str, generation: str) -> None:
        def drop(current: Table) -> None:
            with current.held():
                self._known(name, generation)
                if generation == current.spec.generation:
                    raise RequestError(
                        f"generation {generation!r} of table {name!r} is in use; only others can be dropped"
                    )
                with self._left(at(name, generation), f"dropping generation {generation} of table {name!r}"):
                    self._catalog.drop_generation(name, generation)

        self._on_current(name, drop)

    def _use(self, current: Table, generation: str, last: Callable[[], None] | None) -> None:
        name = current.spec.name
        with current.held():
            self._known(name, generation)
            if generation == current.spec.generation:
                return
            if last is not None:
                last()
            fresh = self._ready(current, generation)
            with self._changing(f"changing table {name!r}"):
                current.require_open()
                self._catalog.use(name, generation)
                self._others.pop(at(name, generation))
                self._current[name] = fresh
            current.retire()

    def _ready(self, current: Table, generation: str) -> Table:
        """The other generation, in memory if the current one is."""
        self._known(current.spec.name, generation)
        fresh = self.table(at(current.spec.name, generation))
        if current.searched:
            _ = fresh.snapshot
        return fresh

    def _known(self, name: str, generation: str) -> None:
        """Raises UnknownGeneration."""
        with self._changing(f"changing table {name!r}"):
            self._catalog.folder(name, generation)

    def _on_current(self, name: str, call: Callable[[Table], object]) -> None:
        """As ``on``, for calls that speak of a table as a whole."""
        self._whole(name, f"changing table {name!r}")
        self.on(name, call)

    def _find(self, address: str) -> Table | None:
        current = self._current.get(table_of(address))
        if current is not None and generation_of(address) in (None, current.spec.generation):
            return current
        return self._others.get(address)

    def _opened(self, name: str, generation: str | None) -> Table:
        return Table(self._catalog.read_spec(name, generation), self._catalog.folder(name, generation))

    def _require(self, name: str) -> None:
        if name in self._leaving or name not in self._catalog:
            raise UnknownTable(f"no table {name!r}")

    def _whole(self, name: str, what: str) -> None:
        """Raises UnknownTable for an address, too."""
        with self._changing(what):
            self._require(name)

    @contextmanager
    def _left(self, address: str, what: str) -> Iterator[None]:
        """Closes what is open of a table or a generation; until the end nobody opens it.

        SQLite's files may not move under an open connection, and closing one waits for its writers.
        """
        with self._changing(what):
            self._require(table_of(address))
            doomed = [table for key, table in self._others.items() if address in (key, table_of(key))]
            doomed += [self._current[address]] if address in self._current else []
            self._others = {key: table for key, table in self._others.items() if table not in doomed}
            self._current.pop(address, None)
            for table in doomed:
                table.doom()
            self._leaving.add(address)
        try:
            for table in doomed:
                table.close()
            with self._changing(what):
                yield
        finally:
            self._leaving.discard(address)

    @contextmanager
    def _changing(self, what: str) -> Iterator[None]:
        """One at a time, and only while the folder is held."""
        with self._mutex, translated(what):
            if self._lock is None:
                raise EngineError("the engine is closed")
            yield


def _held(table: Table, call: Callable[[], None]) -> None:
    with table.held():
        call()
