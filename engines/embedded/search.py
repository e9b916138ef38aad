"""Exact nearest rows: float32 products choose candidates with a proven margin, float64 differences decide.

The answer depends on the rows and the query alone: not on slots, chunks, threads or the BLAS that multiplies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from engines.embedded.snapshot import VectorColumn
    from schemas.table import DistanceType

    Floats = npt.NDArray[np.float64]
    Slots = npt.NDArray[np.intp]

_CHUNK_ROWS = 8192
_CHUNK_CELLS = 1 << 22
_UNIT_ROUNDOFF = 2.0**-24
_UNDERFLOW = 2.0**-110


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates that surely hold the n best with all ties: slots, and their exact scores as float64."""

    slots: Slots
    scores: Floats


def nearest(
    column: VectorColumn, mask: npt.NDArray[np.bool_], queries: npt.NDArray[np.float32], n: int, distance: DistanceType
) -> Scored:
    """The n best slots of ``mask`` (bool [slots]) and whatever ties or nearly ties with the last of them.

    queries float32 [m, dimension]; a slot's score is its best over the m.
    """
    slots = np.flatnonzero(mask)
    if len(slots) > n:
        lowest, highest = _bounds(column, slots, queries, distance)
        slots = slots[lowest <= np.partition(highest, n - 1)[n - 1]]
    return Scored(slots, _exact(column.matrix, slots, queries, distance))


def _bounds(
    column: VectorColumn, slots: Slots, queries: npt.NDArray[np.float32], distance: DistanceType
) -> tuple[Floats, Floats]:
    """Below and above every slot's exact loss (smaller is better), each float64 [slots]."""
    lowest, highest = np.empty(len(slots)), np.empty(len(slots))
    query_squares = np.square(queries, dtype=np.float64).sum(axis=1)
    # Higham, Accuracy and Stability of Numerical Algorithms, 3.1: |error| <= gamma_d |x||q|; doubled to spare.
    gamma = 2 * (queries.shape[1] + 4) * _UNIT_ROUNDOFF
    start = 0
    for part in _chunks(slots, max(queries.shape)):
        squares = column.squares[part][:, None]
        products = _products(column.matrix, part, queries)
        losses = -products if distance == "InnerProduct" else squares - 2 * products + query_squares
        margin = (
            2 * gamma * np.sqrt(squares * query_squares) + gamma * 2.0**-20 * (squares + query_squares) + _UNDERFLOW
        )
        # A product that overflowed says nothing: such a row stays a candidate.
        margin, losses = np.where(np.isfinite(products), margin, np.inf), np.where(np.isfinite(products), losses, 0)
        end = start + len(part)
        lowest[start:end], highest[start:end] = (losses - margin).min(axis=1), (losses + margin).min(axis=1)
        start = end
    return lowest, highest


def _exact(
    matrix: npt.NDArray[np.float32], slots: Slots, queries: npt.NDArray[np.float32], distance: DistanceType
) -> Floats:
    """float64 [slots]; each row's sum runs over its own numbers in one fixed order."""
    parts = [
        _exact_chunk(matrix[part].astype(np.float64), queries, distance) for part in _chunks(slots, matrix.shape[1])
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _exact_chunk(rows: Floats, queries: npt.NDArray[np.float32], distance: DistanceType) -> Floats:
    if distance == "InnerProduct":
        scores = [(rows * query).sum(axis=1) for query in queries.astype(np.float64)]
        # Adding zero turns -0.0 into 0.0, which would otherwise order and print differently.
        best: Floats = np.maximum.reduce(scores) + 0.0
    else:
        best = np.minimum.reduce([np.square(rows - query).sum(axis=1) for query in queries.astype(np.float64)])
    return best


def _chunks(slots: Slots, cells_per_row: int) -> Iterator[Slots]:
    rows = max(1, min(_CHUNK_ROWS, _CHUNK_CELLS // max(1, cells_per_row)))
    for start in range(0, len(slots), rows):
        yield slots[start : start + rows]


def _products(matrix: npt.NDArray[np.float32], slots: Slots, queries: npt.NDArray[np.float32]) -> Floats:
    """Inner products in float32 arithmetic, float64 [slots, m]; not finite where they overflowed."""
    first, last = int(slots[0]), int(slots[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        if 2 * len(slots) > last - first:
            # Multiplying a few rows in vain costs less than copying the others together.
            products = (matrix[first : last + 1] @ queries.T)[slots - first]
        else:
            products = matrix[slots] @ queries.T
    return products.astype(np.float64)
