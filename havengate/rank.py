"""RANK: a similarity, larger is better, or the vendor's distance by formula.

Without a formula it is the sum of each vector term's similarity times its weight, of the boosts' likewise, and of the
weights of the text and number terms that a row matches. A similarity is 1/(1+distance) with SquaredEuclidean, the inner
product itself with InnerProduct. Of terms on one index under OR the one that adds most counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from havengate.query_tree import Weights
from havengate.types import MARK, SCORE, Rank

if TYPE_CHECKING:
    import polars as pl

    from schemas.table import TableSchema

ScoreT = TypeVar("ScoreT", float, "pl.Expr")
RANK = "#rank"
CLOSENESS = "#closeness"
"""Orders rows of one RANK by the exact score, larger is better: 1/(1+distance) is 1.0 for every distance below 1e-16.

Absent where no single score decides.
"""
_OF, _GAIN = f"{SCORE}:", "#gain:"


def score_column(index: str, boost: int = 0) -> str:
    """The column of the scores on an index, ``#score:<boost>:<index>``; boost 0 is the query itself."""
    return f"{_OF}{boost}:{index}"


def gain_column(score: str) -> str:
    """Beside a column of scores the one of what they add to RANK: similarities times their terms' weights."""
    return _GAIN + score.removeprefix(_OF)


def score_columns(frame: pl.DataFrame) -> list[str]:
    """Those that the frame has, the query's own before its boosts'."""
    return sorted((name for name in frame.columns if name.startswith(_OF)), key=boost_of)


def boost_of(column: str) -> int:
    return int(column.removeprefix(_OF).partition(":")[0])


def index_of(column: str) -> str:
    return column.removeprefix(_OF).partition(":")[2]


def is_distance(index: str, schema: TableSchema) -> bool:
    """Whether the smaller score on a vector index is the better one."""
    return schema.vector_indexes[index].distance == "SquaredEuclidean"


def similarity(score: ScoreT, *, distance: bool) -> ScoreT:
    """Of one score or a column of them."""
    return 1.0 / (1.0 + score) if distance else score


def rank(frame: pl.DataFrame, formula: Rank, weights: Weights, schema: TableSchema) -> pl.DataFrame:
    """The frame with RANK, perhaps CLOSENESS, and in SCORE the vendor's number, null where a row has none."""
    import polars as pl

    scores = score_columns(frame)
    if formula.proxima_index is not None:
        chosen = pl.coalesce(name for name in scores if index_of(name) == formula.proxima_index)
        return frame.with_columns(chosen.alias(RANK), chosen.alias(SCORE))
    parts = [pl.col(gain_column(name)) for name in scores]
    parts += [pl.when(f"{MARK}{place}").then(pl.lit(weight)) for place, (_, weight) in enumerate(weights.marks)]
    total = pl.sum_horizontal(*parts, pl.lit(weights.base), ignore_nulls=True)
    score = pl.coalesce(scores) if scores else pl.lit(None, pl.Float64)
    columns = [total.alias(RANK), score.alias(SCORE)]
    if len(scores) == 1:
        sign = -1.0 if is_distance(index_of(scores[0]), schema) else 1.0
        columns.append((sign * pl.col(scores[0])).alias(CLOSENESS))
    return frame.with_columns(columns)
