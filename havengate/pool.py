"""The pool stage, pure and shared by all engines: pools combined, sorted and paged.

A row keeps one score per index, the vendor's number, and beside it what it adds to RANK. OR keeps the better of two
scores on one index and the larger of what they add, AND sums up both; ANDNOT keeps those of its left side, and a
boost's stand beside those of the query that it boosts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from havengate.query_tree import Boost, Boosted, Either, Every, Leaf, Minus, Nearest, Rows, Source
from havengate.rank import (
    CLOSENESS,
    RANK,
    boost_of,
    gain_column,
    index_of,
    is_distance,
    score_column,
    score_columns,
    similarity,
)
from havengate.types import FIELDS, KEY, PK, SCORE, Scalar, SearchPlan, SortKey, Value, VectorTerm
from havengate.variables import variable_values

if TYPE_CHECKING:
    import polars as pl

    from schemas.table import TableSchema

_SEEN = "#seen"


@dataclass(frozen=True, slots=True)
class PageRow:
    """One row of the page, with all its stored fields as they were when the pool was made."""

    pk: str
    fields: Mapping[str, Value]
    score: float | None
    sort_values: tuple[Scalar | None, ...]
    variables: Mapping[str, Value]


def combine(source: Source, pools: Mapping[Leaf, pl.DataFrame], schema: TableSchema) -> pl.DataFrame:
    """The tree's rows, their scores in columns of rank.score_column; ``pools`` has the frame of every leaf."""
    match source:
        case Rows():
            return pools[source]
        case Nearest(term):
            return _scored(pools[source], term, schema)
        case Minus(keep, drop):
            return combine(keep, pools, schema).join(combine(drop, pools, schema).select(PK), on=PK, how="anti")
        case Boosted(keep, boosts):
            frame = combine(keep, pools, schema)
            for boost in boosts:
                frame = frame.join(_boost_scores(boost, pools, schema), on=PK, how="left")
            return frame
        case Every(items) | Either(items):
            frames = [combine(item, pools, schema) for item in items]
            return _merge(frames, schema, everywhere=isinstance(source, Every))


def _scored(frame: pl.DataFrame, term: VectorTerm, schema: TableSchema) -> pl.DataFrame:
    import polars as pl

    column = score_column(term.index)
    gain = term.weight * similarity(pl.col(SCORE), distance=is_distance(term.index, schema))
    return frame.with_columns(gain.alias(gain_column(column))).rename({SCORE: column})


def _boost_scores(boost: Boost, pools: Mapping[Leaf, pl.DataFrame], schema: TableSchema) -> pl.DataFrame:
    frame = combine(boost.source, pools, schema)
    scores = score_columns(frame)
    own = {name: score_column(index_of(name), boost.number) for name in scores if boost_of(name) == 0}
    own |= {gain_column(old): gain_column(new) for old, new in own.items()}
    return frame.select(PK, *scores, *map(gain_column, scores)).rename(own)


def _merge(frames: list[pl.DataFrame], schema: TableSchema, *, everywhere: bool) -> pl.DataFrame:
    import polars as pl

    together = pl.concat(frames, how="diagonal")
    scores = score_columns(together)
    gains = list(map(gain_column, scores))
    merged = [_total(name) if everywhere else _better(name, schema) for name in scores]
    merged += [_total(name) if everywhere else pl.col(name).max() for name in gains]
    kept = {PK, *scores, *gains}
    others = [pl.col(name).first() for name in together.columns if name not in kept]
    grouped = together.group_by(PK).agg(*merged, *others, pl.len().alias(_SEEN))
    if everywhere:
        grouped = grouped.filter(pl.col(_SEEN) == len(frames))
    return grouped.drop(_SEEN)


def _total(column: str) -> pl.Expr:
    import polars as pl

    return pl.when(pl.col(column).count() > 0).then(pl.col(column).sum()).alias(column)


def _better(column: str, schema: TableSchema) -> pl.Expr:
    import polars as pl

    score = pl.col(column)
    return score.min() if is_distance(index_of(column), schema) else score.max()


def ordered(frame: pl.DataFrame, sort: tuple[SortKey, ...], schema: TableSchema) -> pl.DataFrame:
    """A ranked frame in the order of the keys, missing values last, ties by primary key."""
    by: list[pl.Expr | str] = []
    descending: list[bool] = []
    for key in sort:
        parts: list[pl.Expr | str] = [sort_value(key, schema)[0]]
        if key.by is None and CLOSENESS in frame.columns:
            parts.append(CLOSENESS)
        by += parts
        descending += [key.descending] * len(parts)
    return frame.sort([*by, KEY], descending=[*descending, False], nulls_last=True)


def sort_value(key: SortKey, schema: TableSchema) -> tuple[pl.Expr, pl.DataType]:
    """What a key sorts a ranked frame by, and its type."""
    import polars as pl

    from engines.frames.arithmetic import compile_value

    return (pl.col(RANK), pl.Float64()) if key.by is None else compile_value(key.by, schema)


def page_as_found(frame: pl.DataFrame, term: VectorTerm, plan: SearchPlan, schema: TableSchema) -> list[PageRow]:
    """The plan's page of one term's pool, whose order is the answer's: most searches are such.

    Row by row, as each operation on a frame costs as much as all of this.
    """
    shown = frame.slice(plan.offset, plan.limit)
    scores = shown[SCORE].to_list()
    if plan.rank.proxima_index is not None:
        ranks = scores
    else:
        distance = is_distance(term.index, schema)
        ranks = [term.weight * similarity(score, distance=distance) for score in scores]
    return _rows(shown, scores, [(rank,) for rank in ranks], plan, schema)


def page(frame: pl.DataFrame, plan: SearchPlan, schema: TableSchema) -> list[PageRow]:
    """The plan's page of an ordered frame."""
    from engines.frames.columns import short_floats

    shown = frame.slice(plan.offset, plan.limit)
    keys = shown.select(sort_value(key, schema)[0].alias(str(place)) for place, key in enumerate(plan.sort))
    return _rows(shown, shown[SCORE].to_list(), short_floats(keys).rows(), plan, schema)


def _rows(
    shown: pl.DataFrame,
    scores: Sequence[float | None],
    sort_values: Sequence[tuple[Scalar | None, ...]],
    plan: SearchPlan,
    schema: TableSchema,
) -> list[PageRow]:
    fields = list(map(json.loads, shown[FIELDS].to_list()))
    variables = variable_values(shown, fields, plan.variables, schema)
    return list(map(PageRow, shown[PK].to_list(), fields, scores, sort_values, variables))
