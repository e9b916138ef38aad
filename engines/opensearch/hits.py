"""Hits of a search -> the frame of a pool. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from engines.frames.columns import columns, dtype
from engines.opensearch.bodies import mark_name
from engines.opensearch.documents import row_text
from havengate.types import FIELDS, KEY, MARK, PK, SCORE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schemas.table import TableSchema

    Hits = Sequence[Mapping[str, Any]]


def frame(
    schema: TableSchema, hits: Hits, names: Sequence[str], marks: int, scores: Sequence[float] | None = None
) -> pl.DataFrame:
    """PK, KEY, SCORE where there are scores, FIELDS, the columns asked for and the marks, in the order of the hits."""
    texts = [row_text(hit["_source"]) for hit in hits]
    by_sort = schema.key_type.is_integer and set(names) <= {schema.primary_key}
    # Reading the JSON of every row costs more than the rest of a search; an integer key comes as a sort value.
    rows = [{schema.primary_key: hit["sort"][-1]} for hit in hits] if by_sort else [json.loads(text) for text in texts]
    keys = [row[schema.primary_key] for row in rows]
    return pl.DataFrame(
        [
            pl.Series(PK, list(map(str, keys)), dtype=pl.String),
            pl.Series(KEY, keys, dtype=dtype(schema.fields[schema.primary_key])),
            *([] if scores is None else [pl.Series(SCORE, scores, dtype=pl.Float64)]),
            pl.Series(FIELDS, texts, dtype=pl.String),
            *columns(schema, names, rows),
            *(pl.Series(f"{MARK}{mark}", held(hits, mark_name(mark)), dtype=pl.Boolean) for mark in range(marks)),
        ]
    )


def held(hits: Hits, name: str) -> list[bool]:
    """By hit, whether the clause of that name matches it."""
    return [name in hit.get("matched_queries", ()) for hit in hits]
