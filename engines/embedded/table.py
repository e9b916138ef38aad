"""One open generation: its truth on disk, its snapshot in memory, and the lock that serialises its writers."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from engines.contract import TableStats, at
from engines.embedded.catalog import ROWS_FILE
from engines.embedded.edge import translated
from engines.embedded.memory import TableMemory, prepared
from engines.embedded.store import RowStore
from engines.values import check_row, check_text, merge_rows, require_vector_fields
from havengate.errors import Busy, Moved, RequestError, UnknownTable
from havengate.types import Row

if TYPE_CHECKING:
    from pathlib import Path

    from engines.contract import TableSpec
    from engines.embedded.snapshot import Snapshot
    from havengate.types import Vector
    from schemas.settings import TableSettings

_ROWS_PER_LOAD = 10_000
_PATIENCE_S = 8.0
"""Less than the 10 s that the vendor's SDK waits for an answer: who waited too long is to be told why."""


class Replaced(Exception):
    """Another generation became the current one: who it is meant for has to be asked again."""


class Table:
    """One generation, opened at once and loaded into memory by the first search of it."""

    def __init__(self, spec: TableSpec, folder: Path) -> None:
        self.spec = spec
        self._folder = folder
        self._writers = threading.Lock()
        self._memory_lock = threading.Lock()
        self._memory: TableMemory | None = None
        self._closed = False
        self._held = False
        self._replaced = False
        with self._edge("opening"):
            self.store = RowStore(folder / ROWS_FILE)

    def doom(self) -> None:
        """Told before it is closed: whoever holds it ends at the next step."""
        self._closed = True

    def close(self) -> None:
        """Waits for writers and holders."""
        self.doom()
        with self._writers:
            self._shut()

    def _shut(self) -> None:
        with self._memory_lock:
            self._memory = None
            self.store.close()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Searches go on, writers wait. Raises Busy where somebody else holds the generation."""
        if self._held:
            raise self._busy()
        with self._exclusive():
            self.require_open()
            self._held = True
            try:
                yield
            finally:
                self._held = False

    def retire(self) -> None:
        """The holder's last word: whoever reads now ends in peace, later calls raise Replaced."""
        self._replaced = True
        self._shut()

    @property
    def searched(self) -> bool:
        """Whether it is in memory."""
        return self._memory is not None

    def expect(self, generation: str | None) -> None:
        """Raises Moved where the caller means another generation."""
        if generation not in (None, self.spec.generation):
            raise Moved(f"generation {generation} of table {self.spec.name!r} is no longer the current one; ask again")

    def set_settings(self, write: Callable[[TableSpec], None], settings: TableSettings) -> None:
        with self._exclusive(), self._edge("changing"):
            self.require_open()
            spec = replace(self.spec, settings=settings)
            write(spec)
            self.spec = spec

    @property
    def snapshot(self) -> Snapshot:
        memory = self._memory
        if memory is None:
            with self._memory_lock, self._edge("loading"):
                self.require_open()
                memory = self._memory = self._memory or _load(self.store, self.spec)
        return memory.snapshot

    def upsert(self, rows: Sequence[Row], generation: str | None) -> None:
        self.expect(generation)
        for row in rows:
            check_row(self.spec.schema, row, whole=True)
        latest = list({row.pk: row for row in rows}.values())
        with self._writing() as memory:
            attributes = prepared(self.spec.schema, latest)
            self.store.upsert(latest)
            if memory is not None:
                memory.put(latest, attributes)

    def update_fields(self, patches: Sequence[Row], generation: str | None) -> list[str]:
        self.expect(generation)
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
            attributes = prepared(self.spec.schema, rows)
            self.store.merge(rows)
            if memory is not None:
                memory.put(rows, attributes, keep_vectors=True)
        return list(dict.fromkeys(patch.pk for patch in patches if patch.pk not in stored))

    def delete(self, pks: Sequence[str]) -> int:
        for pk in pks:
            check_text(pk, f"row {pk!r}")
        with self._writing() as memory:
            there = self.store.delete(pks)
            if memory is not None:
                memory.remove(there)
        return len(there)

    def fetch(self, pks: Sequence[str], vector_fields: Sequence[str]) -> dict[str, Row]:
        require_vector_fields(self.spec.schema, vector_fields)
        with self._edge("reading"):
            return self.store.fetch(pks, vector_fields)

    def scan(self, after: str | None, limit: int) -> list[Row]:
        with self._edge("reading"):
            return self.store.scan(after, limit, list(self.spec.schema.vector_fields))

    def mark(self) -> str:
        with self._edge("reading"):
            return f"{self.spec.generation}:{self.store.last_call()}"

    def touched(self, mark: str) -> list[str]:
        """Raises RequestError for a mark of something else."""
        generation, _, call = mark.partition(":")
        if generation != self.spec.generation or not (call.isascii() and call.isdigit()):
            raise RequestError(f"{mark!r} is no mark of {at(self.spec.name, self.spec.generation)}")
        with self._edge("reading"):
            return self.store.touched(int(call))

    def count(self) -> int:
        """Number of rows."""
        with self._edge("reading"):
            return self.store.count()

    def vectors_by_source(self, field: str, hashes: Sequence[str]) -> dict[str, Vector]:
        require_vector_fields(self.spec.schema, [field])
        with self._edge("reading"):
            return self.store.vectors_by_source(field, hashes)

    def stats(self) -> TableStats:
        memory = self._memory
        with self._edge("measuring"):
            rows, vectors = self.store.counts() if memory is None else memory.snapshot.counts()
            size = sum(_size(path) for path in self._folder.iterdir())
        indexes = self.spec.schema.vector_indexes.values()
        return TableStats(rows, {index.name: vectors.get(index.field, 0) for index in indexes}, size)

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
        while not self._writers.acquire(timeout=_PATIENCE_S):
            if self._held:
                raise self._busy()
        try:
            yield
        finally:
            self._writers.release()

    def _busy(self) -> Busy:
        return Busy(f"table {self.spec.name!r} is being changed; try again later")

    @contextmanager
    def _writing(self) -> Iterator[TableMemory | None]:
        """What is in memory, if it is, so that it is kept in step."""
        with self._exclusive(), self._memory_lock, self._edge("writing"):
            self.require_open()
            try:
                yield self._memory
            except sqlite3.Error:
                raise  # rolled back, and memory comes after the commit
            except BaseException:
                # The commit may stand without its picture in memory: the next search reads the truth again.
                self._memory = None
                raise

    def require_open(self) -> None:
        if self._replaced:
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
        memory.put(rows, prepared(spec.schema, rows))
    return memory
