"""Answers from one snapshot: the pool of a vector term, or all rows that match a filter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engines.embedded.filters import compile_filter
from engines.embedded.search import nearest
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import FIELDS, KEY, PK, SCORE, Pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from engines.contract import PoolQuery
    from engines.embedded.snapshot import Snapshot
    from havengate.types import Expr
    from schemas.table import TableSchema, VectorIndex

    Mask = npt.NDArray[np.bool_]


def nearest_rows(snapshot: Snapshot, schema: TableSchema, query: PoolQuery) -> Pool:
    """The pool of ``query``. Raises RequestError for what the table lacks and for vectors that do not fit."""
    index = _index(schema, query.index)
    _check(query, index)
    column = snapshot.vectors[index.field]
    there = snapshot.alive & column.present & _mask(snapshot, schema, query.within)
    matching = there & _mask(snapshot, schema, query.filter)
    found = nearest(column, matching if query.filter_mode == "pre" else there, query.vectors, query.n, index.distance)
    larger_first = index.distance == "InnerProduct"
    keys = snapshot.attributes[schema.primary_key].gather(found.slots)
    best = (
        pl.DataFrame({"slot": found.slots, SCORE: found.scores, KEY: keys})
        .sort(SCORE, KEY, descending=[larger_first, False])
        .head(query.n)
    )
    slots, scores = best["slot"].to_numpy(), best[SCORE].to_numpy()
    passing, near = matching[slots], np.ones(len(slots), np.bool_)
    if query.score_threshold is not None:
        near = scores > query.score_threshold if larger_first else scores < query.score_threshold
    kept = passing & near
    cut_by = tuple(name for name, mask in (("filter_mode:post", passing), ("sf", near)) if not mask.all())
    frame = _select(snapshot, schema, query.columns, slots[kept])
    return Pool(frame.insert_column(2, pl.Series(SCORE, scores[kept])), int(np.count_nonzero(matching)), cut_by=cut_by)


def matching_rows(snapshot: Snapshot, schema: TableSchema, filter: Expr | None, columns: tuple[str, ...]) -> Pool:
    """All rows that match, by primary key."""
    slots = np.flatnonzero(snapshot.alive & _mask(snapshot, schema, filter))
    return Pool(_select(snapshot, schema, columns, slots).sort(KEY), len(slots))


def _index(schema: TableSchema, name: str) -> VectorIndex:
    if name not in schema.vector_indexes:
        known = ", ".join(schema.vector_indexes) or "none"
        raise RequestError(f"no vector index {name!r}; there are: {known}", code=HaCode.INDEX_NOT_EXIST)
    return schema.vector_indexes[name]


def _check(query: PoolQuery, index: VectorIndex) -> None:
    shape = query.vectors.shape
    if len(shape) != 2 or shape[0] == 0 or shape[1] != index.dimension:  # noqa: PLR2004  a matrix
        raise _invalid(f"index {index.name!r} takes vectors [m, {index.dimension}], not {list(shape)}")
    if query.vectors.dtype != np.float32:
        raise _invalid(f"query vectors are {query.vectors.dtype} instead of float32")
    if not np.isfinite(query.vectors).all():
        raise _invalid(f"a query vector for index {index.name!r} holds NaN or infinity")
    if query.n < 1:
        raise _invalid(f"n={query.n} is not positive")
    if query.score_threshold is not None and math.isnan(query.score_threshold):
        raise _invalid("the score threshold is NaN")
    if query.filter_mode not in ("pre", "post"):
        raise _invalid(f"unknown filter mode {query.filter_mode!r}")


def _mask(snapshot: Snapshot, schema: TableSchema, filter: Expr | None) -> Mask:
    if filter is None:
        return np.ones(snapshot.slots, np.bool_)
    return snapshot.attributes.select(compile_filter(filter, schema)).to_series().to_numpy()


def _select(
    snapshot: Snapshot, schema: TableSchema, columns: Sequence[str], slots: npt.NDArray[np.intp]
) -> pl.DataFrame:
    """PK, KEY, FIELDS and the columns asked for, of these slots in their order."""
    for name in columns:
        if name not in schema.attribute_fields:
            raise RequestError(f"no attribute field {name!r}", code=HaCode.ATTRIBUTE_NOT_EXIST)
    # Series by series: a lazy query over the frame costs more than the few rows of a page.
    key = snapshot.attributes[schema.primary_key].gather(slots)
    picked = (snapshot.attributes[name].gather(slots) for name in columns)
    stored = snapshot.attributes[FIELDS].gather(slots)
    return pl.DataFrame([key.cast(pl.String).alias(PK), key.alias(KEY), stored, *picked])


def _invalid(message: str) -> RequestError:
    return RequestError(message, code=HaCode.QUERY_INVALID)
