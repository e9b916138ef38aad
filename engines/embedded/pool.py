"""Answers from one snapshot: the pool of a vector term, or rows that match a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engines.checks import check_columns, check_query, check_rows_query, index_of, require_most, sort_field
from engines.embedded.search import nearest
from engines.frames.columns import column_names
from engines.frames.filters import compile_filter
from engines.frames.marks import fields_of, mark_columns
from havengate.types import FIELDS, KEY, PK, SCORE, Pool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from engines.contract import PoolQuery, RowsQuery
    from engines.embedded.snapshot import Snapshot
    from havengate.types import Expr, SortKey
    from schemas.table import TableSchema

    Mask = npt.NDArray[np.bool_]
    Slots = npt.NDArray[np.intp]


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
    frame = _select(snapshot, schema, query, slots[kept])
    return Pool(frame.insert_column(2, pl.Series(SCORE, scores[kept])), int(np.count_nonzero(matching)), cut_by=cut_by)


def matching_rows(snapshot: Snapshot, schema: TableSchema, query: RowsQuery) -> Pool:
    """Rows that match, in order. Raises RequestError for what the table lacks, and for more rows than ``most``."""
    check_rows_query(query, schema)
    slots = np.flatnonzero(snapshot.alive & _mask(snapshot, schema, query.filter))
    matched = len(slots)
    if query.limit is None:
        require_most(matched, query.most)
        if not query.order:
            return Pool(_select(snapshot, schema, query, slots).sort(KEY), matched)
    # Only the rows of the page are worth their columns.
    slots = _ordered(snapshot, schema, query.order, slots)[: query.limit]
    return Pool(_select(snapshot, schema, query, slots), matched)


def _ordered(snapshot: Snapshot, schema: TableSchema, order: Sequence[SortKey], slots: Slots) -> Slots:
    """Missing values last, ties by primary key."""
    fields = [sort_field(key, schema).name for key in order]
    parts = [snapshot.attributes[name].gather(slots) for name in (*fields, schema.primary_key)]
    # The names are places: rows may be sorted by one field twice, or by the key.
    frame = pl.DataFrame([pl.Series("slot", slots), *(part.alias(str(place)) for place, part in enumerate(parts))])
    descending = [*(key.descending for key in order), False]
    ordered = frame.sort(frame.columns[1:], descending=descending, nulls_last=True)
    return ordered["slot"].to_numpy()


def _mask(snapshot: Snapshot, schema: TableSchema, filter: Expr | None) -> Mask:
    if filter is None:
        return np.ones(snapshot.slots, np.bool_)
    return snapshot.attributes.select(compile_filter(filter, schema)).to_series().to_numpy()


def _select(snapshot: Snapshot, schema: TableSchema, query: PoolQuery | RowsQuery, slots: Slots) -> pl.DataFrame:
    """PK, KEY, FIELDS, the columns and the marks asked for, of these slots in their order."""
    check_columns(schema, query.columns)
    # Series by series: a lazy query over the frame costs more than the few rows of a page.
    key = snapshot.attributes[schema.primary_key].gather(slots)
    stored = snapshot.attributes[FIELDS].gather(slots)
    picked = _picked(snapshot, schema, query.columns, slots)
    frame = pl.DataFrame([key.cast(pl.String).alias(PK), key.alias(KEY), stored, *picked])
    if not query.marks:
        return frame
    seen = dict.fromkeys(name for mark in query.marks for name in fields_of(mark))
    check_columns(schema, seen)
    looked_at = pl.DataFrame([key.alias(KEY), *_picked(snapshot, schema, seen, slots)])
    return frame.hstack(mark_columns(looked_at, query.marks, schema))


def _picked(snapshot: Snapshot, schema: TableSchema, names: Iterable[str], slots: Slots) -> Iterator[pl.Series]:
    return (snapshot.attributes[name].gather(slots) for name in column_names(schema, names))
