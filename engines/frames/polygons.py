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
    on_side, inside = np.zeros(x.shape, np.bool_), np.zeros(x.shape, np.bool_)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        touched, crossed = _side((x, y), start, end)
        on_side |= touched
        inside ^= crossed
    return _answer(on_side, inside, missing=np.isnan(x) | np.isnan(y), edge=edge)


def _of_each(parts: Sequence[pl.Series], *, edge: bool) -> pl.Series:
    """Each point in the polygon of its row: all corners of all rows in one go."""
    polygons = parts[2]
    size = len(polygons)
    x, y = (np.broadcast_to(part.to_numpy(), size) for part in parts[:2])
    lengths = polygons.list.len().fill_null(0).to_numpy().astype(np.int64)
    missing = np.isnan(x) | np.isnan(y) | polygons.is_null().to_numpy()
    rows = np.flatnonzero(~missing & (lengths % 2 == 0) & (lengths >= _SMALLEST))
    if not rows.size:
        nowhere = np.zeros(size, np.bool_)
        return _answer(nowhere, nowhere, missing=missing, edge=edge)
    corners = polygons.gather(rows).explode().to_numpy().reshape(-1, 2)
    counts = lengths[rows] // 2
    ends = np.cumsum(counts)
    following = np.arange(1, len(corners) + 1)
    following[ends - 1] = ends - counts
    place = np.repeat(rows, counts)
    touched, crossed = _side((x[place], y[place]), corners.T, corners[following].T)
    on_side = np.bincount(place[touched], minlength=size) > 0
    inside = np.bincount(place[crossed], minlength=size) % 2 == 1
    return _answer(on_side, inside, missing=missing, edge=edge)


def _side(point: tuple[Doubles, Doubles], start: Doubles, end: Doubles) -> tuple[Truths, Truths]:
    """Which points stand on the side between two corners, and whose way to the right crosses it."""
    (x, y), (ax, ay), (bx, by) = point, start, end
    with np.errstate(all="ignore"):
        c = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    across = (np.minimum(ax, bx) <= x) & (x <= np.maximum(ax, bx))
    along = (np.minimum(ay, by) <= y) & (y <= np.maximum(ay, by))
    crossed = ((ay > y) != (by > y)) & ((c > 0) == (by > ay))
    return (c == 0) & across & along, crossed


def _answer(on_side: Truths, inside: Truths, *, missing: Truths, edge: bool) -> pl.Series:
    truth = np.where(on_side, edge, inside)
    return pl.Series(truth, dtype=pl.Boolean).set(pl.Series(missing, dtype=pl.Boolean), None)
