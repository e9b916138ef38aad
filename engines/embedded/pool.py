"""Answers from one snapshot: the pool of a vector term, or all rows that match a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engines.checks import check_columns, check_query, index_of
from engines.embedded.search import nearest
from engines.frames.filters import compile_filter
from havengate.types import FIELDS, KEY, PK, SCORE, Pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from engines.contract import PoolQuery
    from engines.embedded.snapshot import Snapshot
    from havengate.types import Expr
    from schemas.table import TableSchema

    Mask = npt.NDArray[np.bool_]


def nearest_rows(snapshot: Snapshot, schema: TableSchema, query: PoolQuery) -> Pool:
    """The pool of ``query``. Raises RequestError for what the table lacks and for vectors that do not fit."""
    index = index_of(schema, query.index)
    check_query(query, index)
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


def _mask(snapshot: Snapshot, schema: TableSchema, filter: Expr | None) -> Mask:
    if filter is None:
        return np.ones(snapshot.slots, np.bool_)
    return snapshot.attributes.select(compile_filter(filter, schema)).to_series().to_numpy()


def _select(
    snapshot: Snapshot, schema: TableSchema, columns: Sequence[str], slots: npt.NDArray[np.intp]
) -> pl.DataFrame:
    """PK, KEY, FIELDS and the columns asked for, of these slots in their order."""
    check_columns(schema, columns)
    # Series by series: a lazy query over the frame costs more than the few rows of a page.
    key = snapshot.attributes[schema.primary_key].gather(slots)
    picked = (snapshot.attributes[name].gather(slots) for name in columns)
    stored = snapshot.attributes[FIELDS].gather(slots)
    return pl.DataFrame([key.cast(pl.String).alias(PK), key.alias(KEY), stored, *picked])
