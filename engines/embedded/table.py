"""One open table: its truth on disk, its snapshot in memory, and the lock that serialises its writers."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from engines.contract import TableStats
from engines.embedded.edge import translated
from engines.embedded.memory import TableMemory
from engines.embedded.store import RowStore
from engines.values import check_row, merge_rows, require_vector_fields
from havengate.errors import UnknownTable
from havengate.types import Row

if TYPE_CHECKING:
    from pathlib import Path

    from engines.contract import TableSpec
    from engines.embedded.snapshot import Snapshot
    from havengate.types import Vector

_ROWS_PER_LOAD = 10_000


class Table:
    """Opened at once, loaded into memory by the first call that needs it."""

    def __init__(self, spec: TableSpec, folder: Path) -> None:
        self.spec = spec
        self._folder = folder
        self._lock = threading.Lock()
        self._memory: TableMemory | None = None
        self._closed = False
        with self._edge("opening"):
            self.store = RowStore(folder / "rows.sqlite")

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._memory = None
            self.store.close()

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
                self._require_open()
                raise

    @contextmanager
    def _writing(self) -> Iterator[TableMemory]:
        with self._lock, self._edge("writing"):
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
        self._require_open()
        if self._memory is None:
            self._memory = _load(self.store, self.spec)
        return self._memory

    def _require_open(self) -> None:
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
