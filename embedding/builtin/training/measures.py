"""How good a ranking is. ``scores`` and ``right`` are [queries, pictures]; every figure is a mean over the queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Scores = npt.NDArray[np.float32]
    Right = npt.NDArray[np.bool_]


def precision(scores: Scores, right: Right, first: int) -> float:
    """Share of the first pictures that are right."""
    return float(np.take_along_axis(right, _ranking(scores)[:, :first], axis=1).mean())


def recall(scores: Scores, wanted: npt.NDArray[np.int64], first: int) -> float:
    """Share of the queries whose one picture (its column) is among the first."""
    return float((_ranking(scores)[:, :first] == wanted[:, None]).any(axis=1).mean())


def average_precision(scores: Scores, right: Right) -> float:
    """Mean, over the right pictures, of the precision at each one's place; every query has at least one."""
    ranked = np.take_along_axis(right, _ranking(scores), axis=1)
    precisions = ranked.cumsum(axis=1) / np.arange(1, ranked.shape[1] + 1)
    return float(((precisions * ranked).sum(axis=1) / ranked.sum(axis=1)).mean())


def _ranking(scores: Scores) -> npt.NDArray[np.int64]:
    return np.argsort(-scores, axis=1, kind="stable")
