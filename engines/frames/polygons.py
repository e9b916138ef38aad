"""Whether points lie in polygons, side by side over whole columns, as expr.InPolygon defines it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    import numpy.typing as npt

    Doubles = npt.NDArray[np.float64]
    Truths = npt.NDArray[np.bool_]

_SMALLEST = 6


def in_polygon(x: pl.Expr, y: pl.Expr, polygon: pl.Expr | Sequence[float], *, edge: bool) -> pl.Expr:
    """``x`` and ``y`` are doubles, a column of polygons lists of doubles; null where one of them has no value."""
    if isinstance(polygon, pl.Expr):
        polygons = pl.when(polygon.list.len() > 0).then(polygon)
        columns = [x, y, polygons]
        return pl.map_batches(columns, lambda parts: _of_each(parts, edge=edge), return_dtype=pl.Boolean())
    corners = np.array(polygon, np.float64).reshape(-1, 2)
    return pl.map_batches([x, y], lambda parts: _of_one(parts, corners, edge=edge), return_dtype=pl.Boolean())


def _of_one(points: Sequence[pl.Series], corners: Doubles, *, edge: bool) -> pl.Series:
    """All points in one polygon, [corners, 2]."""
    x, y = np.broadcast_arrays(*(part.to_numpy() for part in points))
    missing = np.isnan(x) | np.isnan(y)
    # From below to above: what a side says of points beneath and over it need not be computed.
    order = np.argsort(y)
    x, y = x[order], y[order]
    touched, odd = np.zeros(x.shape, np.bool_), np.zeros(x.shape, np.bool_)
    following = np.roll(corners, -1, axis=0)
    low, high = np.minimum(corners, following)[:, 1], np.maximum(corners, following)[:, 1]
    beside = zip(np.searchsorted(y, low, "left"), np.searchsorted(y, high, "right"), strict=True)
    for start, end, (first, last) in zip(corners, following, beside, strict=True):
        on_side, crossed = _side((x[first:last], y[first:last]), start, end)
        touched[first:last] |= on_side
        odd[first:last] ^= crossed
    truth = np.empty(x.shape, np.bool_)
    truth[order] = np.where(touched, edge, odd)
    return _answer(truth, missing)


def _of_each(parts: Sequence[pl.Series], *, edge: bool) -> pl.Series:
    """Each point in the polygon of its row: all corners of all rows in one go."""
    polygons = parts[2]
    size = len(polygons)
    x, y = (np.broadcast_to(part.to_numpy(), size) for part in parts[:2])
    lengths = polygons.list.len().fill_null(0).to_numpy().astype(np.int64)
    missing = np.isnan(x) | np.isnan(y) | polygons.is_null().to_numpy()
    rows = np.flatnonzero(~missing & (lengths % 2 == 0) & (lengths >= _SMALLEST))
    if not rows.size:
        return _answer(np.zeros(size, np.bool_), missing)
    corners = polygons.gather(rows).explode().to_numpy().reshape(-1, 2)
    counts = lengths[rows] // 2
    ends = np.cumsum(counts)
    following = np.arange(1, len(corners) + 1)
    following[ends - 1] = ends - counts
    place = np.repeat(rows, counts)
    on_side, crossed = _side((x[place], y[place]), corners.T, corners[following].T)
    touched = np.bincount(place[on_side], minlength=size) > 0
    odd = np.bincount(place[crossed], minlength=size) % 2 == 1
    return _answer(np.where(touched, edge, odd), missing)


def _side(point: tuple[Doubles, Doubles], start: Doubles, end: Doubles) -> tuple[Truths, Truths]:
    """Which points stand on the side between two corners, and whose way to the right crosses it."""
    (x, y), (ax, ay), (bx, by) = point, start, end
    with np.errstate(all="ignore"):
        c = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    across = (np.minimum(ax, bx) <= x) & (x <= np.maximum(ax, bx))
    along = (np.minimum(ay, by) <= y) & (y <= np.maximum(ay, by))
    crossed = ((ay > y) != (by > y)) & ((c > 0) == (by > ay))
    return (c == 0) & across & along, crossed


def _answer(truth: Truths, missing: Truths) -> pl.Series:
    return pl.Series(truth, dtype=pl.Boolean).set(pl.Series(missing, dtype=pl.Boolean), None)
