"""Functions over columns: havengate/functions.py says what each gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from havengate.functions import EARTH_RADIUS_KM, RADIANS

if TYPE_CHECKING:
    import numpy.typing as npt

    Doubles = npt.NDArray[np.float64]

Formula = Callable[..., "Doubles"]


def computed(name: str, arguments: Sequence[pl.Expr]) -> pl.Expr:
    """A function of doubles, of one length or of one value each: Float32, null where it has no finite number."""
    formula = _FORMULAS[name]

    def batch(columns: Sequence[pl.Series]) -> pl.Series:
        # A missing value is NaN to numpy, and so is the result of most: pow(NaN, 0) is not, therefore the mask.
        values = [column.to_numpy() for column in columns]
        with np.errstate(all="ignore"):
            result = formula(*values).astype(np.float32)
        there = np.isfinite(result)
        for value in values:
            there = there & ~np.isnan(value)
        return pl.Series(np.where(there, result, np.float32("nan")), dtype=pl.Float32, nan_to_null=True)

    return pl.map_batches(list(arguments), batch, return_dtype=pl.Float32(), is_elementwise=True)


def length(column: pl.Expr, *, several: bool) -> pl.Expr:
    """Of a list its values, of a text its code points; 0 where there is none."""
    found = column.list.len() if several else column.str.len_chars()
    return found.cast(pl.Int64).fill_null(0)


def replaced(column: pl.Expr, characters: str, by: str) -> pl.Expr:
    """Each of the characters, wherever it stands in a text."""
    return column.str.replace_many(dict.fromkeys(characters, by)) if characters else column


def _pow(x: Doubles, y: Doubles) -> Doubles:
    return x**y


def _log(base: Doubles, x: Doubles) -> Doubles:
    undefined = (base <= 0) | (x <= 0) | (base == 1)
    return np.where(undefined, 0.0, np.log(x) / np.log(base))


def _distance(x1: Doubles, y1: Doubles, x2: Doubles, y2: Doubles) -> Doubles:
    s = np.sin((y2 * RADIANS - y1 * RADIANS) / 2)
    t = np.sin((x2 * RADIANS - x1 * RADIANS) / 2)
    h = s * s + np.cos(y1 * RADIANS) * np.cos(y2 * RADIANS) * (t * t)
    angle: Doubles = 2 * np.arcsin(np.minimum(1.0, np.sqrt(h)))
    return EARTH_RADIUS_KM * angle


_FORMULAS: Mapping[str, Formula] = {"pow": _pow, "log": _log, "distance": _distance}
