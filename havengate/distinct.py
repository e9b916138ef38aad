"""Distinct: rows of one key take turns, so that no key fills the first page. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from havengate.pool import sort_value
from havengate.steps import limits_reached
from havengate.types import Distinct, SortKey

if TYPE_CHECKING:
    import polars as pl

    from schemas.table import TableSchema

_PLACE, _GRADE, _GROUP, _FREE, _ROUND = "#place", "#grade", "#group", "#free", "#round"


def distinct_rows(frame: pl.DataFrame, spec: Distinct, first: SortKey, schema: TableSchema) -> pl.DataFrame:
    """An ordered frame in the rounds of ``spec``, without what it drops; ``first`` is the first sort key.

    Raises RequestError for grades of a sort key that is no number.
    """
    import polars as pl

    from engines.frames.arithmetic import compile_value
    from engines.frames.filters import compile_filter

    group = compile_value(spec.key, schema)[0]
    free = group.is_null()
    if spec.filter is not None:
        free |= compile_filter(spec.filter, schema)
    marked = frame.with_row_index(_PLACE).with_columns(
        group.alias(_GROUP), free.alias(_FREE), _grade(spec, first, schema).alias(_GRADE)
    )
    turn = pl.int_range(pl.len()).over(_GRADE, _GROUP, _FREE) // spec.count
    marked = marked.with_columns(pl.when(_FREE).then(0).otherwise(turn.clip(upper_bound=spec.times)).alias(_ROUND))
    if not spec.reserved:
        marked = marked.filter(pl.col(_ROUND) < spec.times)
    return marked.sort(_GRADE, _ROUND, _PLACE).select(frame.columns)


def _grade(spec: Distinct, first: SortKey, schema: TableSchema) -> pl.Expr:
    """0 is the best; rows without a value of the first sort key come last."""
    import polars as pl

    if not spec.grades:
        return pl.lit(0)
    reached = limits_reached(*sort_value(first, schema), spec.grades)
    best_first = len(spec.grades) - reached if first.descending else reached
    return best_first.fill_null(len(spec.grades) + 1)
