"""One table in memory at one moment: what readers see, never changed once made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl


@dataclass(frozen=True, slots=True)
class VectorColumn:
    """Vectors of one field by slot.

    matrix   float32 [slots, dimension]; zeros where a row has no vector
    squares  float64 [slots], squared lengths
    present  bool [slots]
    """

    matrix: npt.NDArray[np.float32]
    squares: npt.NDArray[np.float64]
    present: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Slots hold row versions in the order of their writing; ``alive`` marks those that are rows now.

    attributes  one polars column per attribute field, [slots] long
    alive       bool [slots]
    vectors     by vector field
    """

    attributes: pl.DataFrame
    alive: npt.NDArray[np.bool_]
    vectors: Mapping[str, VectorColumn]

    @property
    def slots(self) -> int:
        return len(self.alive)

    def counts(self) -> tuple[int, dict[str, int]]:
        """Rows, and vectors by field."""
        vectors = {field: int(np.count_nonzero(self.alive & column.present)) for field, column in self.vectors.items()}
        return int(np.count_nonzero(self.alive)), vectors


class GrowingVectors:
    """Appends vectors behind those that snapshots already show; grows by doubling."""

    def __init__(self, dimension: int, capacity: int = 0) -> None:
        self._size = 0
        self._allocate(dimension, capacity)

    def _allocate(self, dimension: int, capacity: int) -> None:
        self._matrix = np.zeros((capacity, dimension), np.float32)
        self._squares = np.zeros(capacity, np.float64)
        self._present = np.zeros(capacity, np.bool_)

    def append(self, matrix: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> None:
        """Takes matrix float32 [rows, dimension] and present bool [rows]."""
        end = self._size + len(matrix)
        if end > len(self._matrix):
            self._grow(max(end, 2 * len(self._matrix)))
        self._matrix[self._size : end] = matrix
        self._squares[self._size : end] = squared_lengths(matrix)
        self._present[self._size : end] = present
        self._size = end

    def _grow(self, capacity: int) -> None:
        # Snapshots keep the old buffers; only rows up to the size are worth copying.
        shown = self.column()
        self._allocate(self._matrix.shape[1], capacity)
        self._matrix[: self._size] = shown.matrix
        self._squares[: self._size] = shown.squares
        self._present[: self._size] = shown.present

    def column(self) -> VectorColumn:
        return VectorColumn(self._matrix[: self._size], self._squares[: self._size], self._present[: self._size])


def squared_lengths(matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """float32 [rows, dimension] -> float64 [rows]."""
    squares: npt.NDArray[np.float64] = np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64)
    return squares
