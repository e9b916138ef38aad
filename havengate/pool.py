"""The pool stage, pure and shared by all engines: terms' pools combined, ranked, sorted and paged.

A row keeps one score per index, the vendor's number. OR keeps the better of two scores on one index, AND adds
them, ANDNOT keeps those of its left side. Without a formula RANK is a similarity, larger is better: the sum over
the searched indexes of 1/(1+distance) for SquaredEuclidean, of the inner product itself for InnerProduct.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from havengate.types import (
    FIELDS,
    KEY,
    PK,
    SCORE,
    And,
    AndNot,
    BoolNode,
    Or,
    Rank,
    Scalar,
    SortKey,
    Value,
    VectorTerm,
)

if TYPE_CHECKING:
    import polars as pl

    from schemas.table import TableSchema

_RANK = "#rank"
_ORDER = "#order"
_SEEN = "#seen"
_OF = f"{SCORE}:"


@dataclass(frozen=True, slots=True)
class PageRow:
    """One row of the page, with all its stored fields as they were when the pool was made."""

    pk: str
    fields: Mapping[str, Value]
    score: float | None
    sort_values: tuple[Scalar | None, ...]


def combine(node: BoolNode, pools: Mapping[int, pl.DataFrame], schema: TableSchema) -> pl.DataFrame:
    """The tree's rows, one ``#score:<index>`` column per index; ``pools`` by id() of their vector term."""
    match node:
        case VectorTerm():
            return pools[id(node)].rename({SCORE: _OF + node.index})
        case AndNot():
            keep, drop = combine(node.keep, pools, schema), combine(node.drop, pools, schema)
            return keep.join(drop.select(PK), on=PK, how="anti")
        case And() | Or():
            frames = [combine(item, pools, schema) for item in node.items]
            return _merge(frames, schema, everywhere=isinstance(node, And))


def _merge(frames: list[pl.DataFrame], schema: TableSchema, *, everywhere: bool) -> pl.DataFrame:
    import polars as pl

    together = pl.concat(frames, how="diagonal")
    scores = [name for name in together.columns if name.startswith(_OF)]
    merged = [_merged_score(name, schema, add=everywhere) for name in scores]
    others = [pl.col(name).first() for name in together.columns if name not in scores and name != PK]
    grouped = together.group_by(PK).agg(*merged, *others, pl.len().alias(_SEEN))
    if everywhere:
        grouped = grouped.filter(pl.col(_SEEN) == len(frames))
    return grouped.drop(_SEEN)


def _merged_score(column: str, schema: TableSchema, *, add: bool) -> pl.Expr:
    import polars as pl

    score = pl.col(column)
    if add:
        return pl.when(score.count() > 0).then(score.sum()).alias(column)
    return score.min() if _is_distance(column, schema) else score.max()


def rank(frame: pl.DataFrame, formula: Rank, schema: TableSchema) -> pl.DataFrame:
    """The frame with RANK and the vendor's score of each row beside its attributes."""
    import polars as pl

    scores = [name for name in frame.columns if name.startswith(_OF)]
    if not scores:
        return frame.with_columns(
            pl.lit(0.0).alias(_RANK), pl.lit(0.0).alias(_ORDER), pl.lit(None, pl.Float64).alias(SCORE)
        )
    if formula.proxima_index is not None:
        chosen = pl.col(_OF + formula.proxima_index)
        return frame.with_columns(chosen.alias(_RANK), chosen.alias(_ORDER), chosen.alias(SCORE))
    similarity = pl.sum_horizontal(*(_similarity(name, schema) for name in scores), ignore_nulls=True)
    # 1/(1+distance) is 1.0 for every distance below 1e-16: one index is ordered by the distance itself.
    order = similarity if len(scores) > 1 else _closeness(scores[0], schema)
    return frame.with_columns(similarity.alias(_RANK), order.alias(_ORDER), pl.coalesce(scores).alias(SCORE))


def _similarity(column: str, schema: TableSchema) -> pl.Expr:
    import polars as pl

    return 1.0 / (1.0 + pl.col(column)) if _is_distance(column, schema) else pl.col(column)


def _closeness(column: str, schema: TableSchema) -> pl.Expr:
    import polars as pl

    return -pl.col(column) if _is_distance(column, schema) else pl.col(column)


def _is_distance(column: str, schema: TableSchema) -> bool:
    return schema.vector_indexes[column.removeprefix(_OF)].distance == "SquaredEuclidean"


def page(frame: pl.DataFrame, sort: tuple[SortKey, ...], offset: int, limit: int) -> list[PageRow]:
    """Rows [offset, offset+limit) in the order of the keys, missing values last, ties by primary key."""
    order = [_ORDER if key.field is None else key.field.name for key in sort]
    shown_as = [_RANK if key.field is None else key.field.name for key in sort]
    descending = [key.descending for key in sort]
    ordered = frame.sort([*order, KEY], descending=[*descending, False], nulls_last=True)
    shown = ordered.slice(offset, limit)
    values = zip(*(shown[column].to_list() for column in shown_as), strict=True)
    columns = zip(shown[PK].to_list(), shown[FIELDS].to_list(), shown[SCORE].to_list(), values, strict=True)
    return [PageRow(pk, json.loads(fields), score, tuple(keys)) for pk, fields, score, keys in columns]
