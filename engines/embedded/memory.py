"""Keeps one table's snapshot fresh: every write appends slots, kills the old ones and swaps the snapshot.

Readers take ``snapshot`` once and never lock; writers are serialised by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engines.embedded.snapshot import GrowingVectors, Snapshot
from engines.frames import columns

if TYPE_CHECKING:
    import numpy.typing as npt

    from havengate.types import Row, Vector
    from schemas.table import TableSchema

_FEW_DEAD = 1024
_MOST_CHUNKS = 64

Block = tuple["npt.NDArray[np.float32]", "npt.NDArray[np.bool_]"]
"""Vectors of one field for a batch of rows: float32 [rows, dimension], and which rows have one."""


class TableMemory:
    def __init__(self, schema: TableSchema, capacity: int = 0) -> None:
        self._schema = schema
        self._slots: dict[str, int] = {}
        self._growing = {
            field: GrowingVectors(index.dimension, capacity) for field, index in schema.vector_fields.items()
        }
        self.snapshot = self._shown(columns.frame(schema, []), np.zeros(0, np.bool_))

    def put(self, rows: Sequence[Row], attributes: pl.DataFrame, *, keep_vectors: bool = False) -> None:
        """Insert or replace rows of distinct keys. ``keep_vectors``: a vector that a row lacks stays the old one."""
        blocks = {field: self._block(field, rows, keep_vectors) for field in self._growing}
        self.append([row.pk for row in rows], attributes, blocks)

    def append(self, pks: Sequence[str], attributes: pl.DataFrame, blocks: Mapping[str, Block]) -> None:
        first = self.snapshot.slots
        old = [self._slots[pk] for pk in pks if pk in self._slots]
        self._slots.update(zip(pks, range(first, first + len(pks)), strict=True))
        for field, (matrix, present) in blocks.items():
            self._growing[field].append(matrix, present)
        alive = np.concatenate([self.snapshot.alive, np.ones(len(pks), np.bool_)])
        alive[old] = False
        frame = self.snapshot.attributes.vstack(attributes)
        self._publish(frame.rechunk() if frame.n_chunks() > _MOST_CHUNKS else frame, alive)

    def remove(self, pks: Iterable[str]) -> None:
        alive = self.snapshot.alive.copy()
        alive[[self._slots.pop(pk) for pk in pks]] = False
        self._publish(self.snapshot.attributes, alive)

    def _block(self, field: str, rows: Sequence[Row], keep: bool) -> Block:
        dimension = self._schema.vector_fields[field].dimension
        matrix, present = np.zeros((len(rows), dimension), np.float32), np.zeros(len(rows), np.bool_)
        for place, row in enumerate(rows):
            vector = row.vectors.get(field)
            if vector is None and keep:
                vector = self._vector(field, row.pk)
            if vector is not None:
                matrix[place], present[place] = vector, True
        return matrix, present

    def _vector(self, field: str, pk: str) -> Vector | None:
        slot, column = self._slots.get(pk), self.snapshot.vectors[field]
        return column.matrix[slot] if slot is not None and column.present[slot] else None

    def _publish(self, attributes: pl.DataFrame, alive: npt.NDArray[np.bool_]) -> None:
        dead = len(alive) - len(self._slots)
        if dead > max(_FEW_DEAD, len(self._slots)):
            self.snapshot = self._compacted(attributes, alive)
        else:
            self.snapshot = self._shown(attributes, alive)

    def _shown(self, attributes: pl.DataFrame, alive: npt.NDArray[np.bool_]) -> Snapshot:
        return Snapshot(attributes, alive, {field: grown.column() for field, grown in self._growing.items()})

    def _compacted(self, attributes: pl.DataFrame, alive: npt.NDArray[np.bool_]) -> Snapshot:
        self._slots = {pk: place for place, pk in enumerate(sorted(self._slots, key=self._slots.__getitem__))}
        for field, grown in self._growing.items():
            column = grown.column()
            fresh = GrowingVectors(column.matrix.shape[1], len(self._slots))
            fresh.append(column.matrix[alive], column.present[alive])
            self._growing[field] = fresh
        return self._shown(attributes.filter(pl.Series(alive)).rechunk(), np.ones(len(self._slots), np.bool_))


def prepared(schema: TableSchema, rows: Sequence[Row]) -> pl.DataFrame:
    """The rows' attributes, ready for ``put``: whatever can fail does so before anything is written."""
    return columns.frame(schema, [row.fields for row in rows])
