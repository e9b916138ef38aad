"""Limits along a number: the grades of a distinct, the ranges of an aggregate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def limits_reached(value: pl.Expr, dtype: pl.DataType, limits: Sequence[int | float]) -> pl.Expr:
    """How many of the limits a value is not below; null where it is missing.

    A limit is read as a literal of a filter is: exactly, but in the precision of a FLOAT. Raises RequestError for
    a value that is text.
    """
    import polars as pl

    from engines.checks import rounded
    from engines.frames.comparisons import compare_literal

    fitted = [rounded(limit, single=dtype == pl.Float32) if dtype.is_float() else limit for limit in limits]
    return pl.sum_horizontal(
        *(compare_literal(value, dtype, ">=", limit).cast(pl.Int32) for limit in fitted), ignore_nulls=False
    )
