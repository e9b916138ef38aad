"""One open table: its truth on disk, its snapshot in memory, and the lock that serialises its writers."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from engines.contract import TableStats
from engines.embedded.edge import translated
from engines.embedded.memory import TableMemory
from engines.embedded.store import RowStore
from engines.values import check_row, merge_rows, require_vector_fields
from havengate.errors import Busy, UnknownTable
from havengate.types import Row

if TYPE_CHECKING:
    from pathlib import Path

    from engines.contract import TableSpec
    from engines.embedded.catalog import Catalog
    from engines.embedded.snapshot import Snapshot
    from havengate.types import Vector
    from schemas.settings import TableSettings

ROWS_FILE = "rows.sqlite"
_ROWS_PER_LOAD = 10_000
_PATIENCE_S = 8.0
"""Less than the 10 s that the vendor's SDK waits for an answer: who waited too long is to be told why."""


class Replaced(Exception):
    """Another generation took the table's place: the call belongs to its successor."""


class Table:
    """One generation, opened at once and loaded into memory by the first call that needs it."""

    def __init__(self, spec: TableSpec, folder: Path) -> None:
        self.spec = spec
        self._folder = folder
        self._lock = threading.Lock()
        self._memory: TableMemory | None = None
        self._closed = False
        self._held = False
        self._successor: Table | None = None
        with self._edge("opening"):
            self.store = RowStore(folder / ROWS_FILE)

    def close(self) -> None:
        # Told before the lock is had: a change that holds it ends at its next batch.
        self._closed = True
        with self._lock:
            self._memory = None
            self.store.close()
        if self._successor is not None:
            self._successor.close()

    @property
    def newest(self) -> Table:
        """The table, or what took its place at last."""
        newest = self
        while newest._successor is not None:
            newest = newest._successor
        if newest is not self:
            self._successor = newest
        return newest

    @contextmanager
    def held(self) -> Iterator[None]:
        """Searches go on, writers wait. Raises Busy where somebody else holds the table."""
        if self._held:
            raise self._busy()
        with self._exclusive():
            self._loaded()
            self._held = True
            try:
                yield
            finally:
                self._held = False

    def retire(self, successor: Table) -> None:
        """The holder's last word: whoever reads now ends in peace, later calls raise Replaced."""
        self._successor = successor
        self._closed = True
        self._memory = None
        self.store.close()

    def set_settings(self, catalog: Catalog, settings: TableSettings) -> None:
        with self._exclusive(), self._edge("changing"):
            self.require_open()
            spec = replace(self.spec, settings=settings)
            catalog.write_spec(spec)
            self.spec = spec

    @property
    def snapshot(self) -> Snapshot:
        memory = self._memory
        if memory is None:
            with self._lock, self._edge("loading"):
                memory = self._loaded()
        return memory.snapshot

    def upsert(self, rows: Sequence[Row]) -> None:
        for row in rows:
            check_row(self.spec.schema, row, whole=True)
        latest = list({row.pk: row for row in rows}.values())
        with self._writing() as memory:
            attributes = memory.prepared(latest)
            self.store.upsert(latest)
            memory.put(latest, attributes)

    def update_fields(self, patches: Sequence[Row]) -> list[str]:
        for patch in patches:
            check_row(self.spec.schema, patch, whole=False)
        with self._writing() as memory:
            stored = self.store.fetch([patch.pk for patch in patches], ())
            merged: dict[str, Row] = {}
            for patch in patches:
                if patch.pk in stored:
                    old = merged.get(patch.pk) or Row(patch.pk, stored[patch.pk].fields)
                    merged[patch.pk] = merge_rows(old, patch)
            rows = list(merged.values())
            attributes = memory.prepared(rows)
            self.store.merge(rows)
            memory.put(rows, attributes, keep_vectors=True)
        return list(dict.fromkeys(patch.pk for patch in patches if patch.pk not in stored))

    def delete(self, pks: Iterable[str]) -> int:
        asked = list(dict.fromkeys(pks))
        with self._writing() as memory:
            there = [pk for pk in asked if pk in memory]
            self.store.delete(there)
            memory.remove(there)
        return len(there)

    def fetch(self, pks: Sequence[str], vector_fields: Sequence[str]) -> dict[str, Row]:
        require_vector_fields(self.spec.schema, vector_fields)
        with self._edge("reading"):
            return self.store.fetch(pks, vector_fields)

    def vectors_by_source(self, field: str, hashes: Sequence[str]) -> dict[str, Vector]:
        require_vector_fields(self.spec.schema, [field])
        with self._edge("reading"):
            return self.store.vectors_by_source(field, hashes)

    def stats(self) -> TableStats:
        snapshot = self.snapshot
        vectors = {
            index.name: int(np.count_nonzero(snapshot.alive & snapshot.vectors[index.field].present))
            for index in self.spec.schema.vector_indexes.values()
        }
        with self._edge("measuring"):
            size = sum(_size(path) for path in self._folder.iterdir())
        return TableStats(int(np.count_nonzero(snapshot.alive)), vectors, size)

    @contextmanager
    def _edge(self, doing: str) -> Iterator[None]:
        with translated(f"{doing} table {self.spec.name}"):
            # A table dropped meanwhile shows as a closed database or a missing file.
            try:
                yield
            except Exception:
                self.require_open()
                raise

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        while not self._lock.acquire(timeout=_PATIENCE_S):
            if self._held:
                raise self._busy()
        try:
            yield
        finally:
            self._lock.release()

    def _busy(self) -> Busy:
        return Busy(f"table {self.spec.name!r} is being changed; try again later")

    @contextmanager
    def _writing(self) -> Iterator[TableMemory]:
        with self._exclusive(), self._edge("writing"):
            memory = self._loaded()
            try:
                yield memory
            except sqlite3.Error:
                raise  # rolled back, and memory comes after the commit
            except BaseException:
                # The commit may stand without its picture in memory: the next call reads the truth again.
                self._memory = None
                raise

    def _loaded(self) -> TableMemory:
        self.require_open()
        if self._memory is None:
            self._memory = _load(self.store, self.spec)
        return self._memory

    def require_open(self) -> None:
        if self._successor is not None:
            raise Replaced
        if self._closed:
            raise UnknownTable(f"table {self.spec.name!r} was dropped or closed meanwhile")


def _size(path: Path) -> int:
    """A file of the write-ahead log may go between listing and measuring; it then counts nothing."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _load(store: RowStore, spec: TableSpec) -> TableMemory:
    pks = store.keys()
    memory = TableMemory(spec.schema, len(pks))
    for start in range(0, len(pks), _ROWS_PER_LOAD):
        rows = list(store.fetch(pks[start : start + _ROWS_PER_LOAD], list(spec.schema.vector_fields)).values())
        memory.put(rows, memory.prepared(rows))
    return memory
