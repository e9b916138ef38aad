"""The pool of a vector term, and all rows that match: what is asked, and what becomes of the hits."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from engines.checks import check_columns, check_query, index_of
from engines.frames.columns import column, dtype
from engines.opensearch import bodies
from engines.opensearch.mapping import WINDOW
from engines.opensearch.searches import total
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import KEY, PK, SCORE, Pool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engines.contract import PoolQuery
    from engines.opensearch.searches import Searches
    from havengate.types import Expr, Strategy
    from schemas.table import TableSchema

    Hits = Sequence[Mapping[str, Any]]

EXACT_ROWS = 10_000
"""Up to so many rows the exact search is as fast as the graph, and every n best is the true one."""


def nearest_rows(searches: Searches, alias: str, schema: TableSchema, query: PoolQuery) -> Pool:
    """The pool of ``query``. Raises RequestError for what the table lacks and for vectors that do not fit."""
    check_query(query, index_of(schema, query.index))
    check_columns(schema, query.columns)
    if query.n > WINDOW:
        raise RequestError(f"n={query.n} is more than {WINDOW}", code=HaCode.OVER_RETURN_HITS_LIMIT)
    if query.filter is None:
        query = replace(query, filter_mode="pre")
    found, matched, strategy = _hits(searches, alias, schema, query)
    if query.filter_mode == "post":
        found = [hit for hit in found if bodies.FITS in hit.get("matched_queries", ())]
    limit, larger_first = query.score_threshold, schema.vector_indexes[query.index].distance == "InnerProduct"
    if limit is not None:
        found = [hit for hit in found if (hit["sort"][0] > limit if larger_first else hit["sort"][0] < limit)]
    frame = _frame(schema, found, query.columns)
    scores = pl.Series(SCORE, [hit["sort"][0] for hit in found], dtype=pl.Float64)
    return Pool(frame.insert_column(2, scores), matched, strategy)


def matching_rows(
    searches: Searches, alias: str, schema: TableSchema, filter: Expr | None, columns: tuple[str, ...]
) -> Pool:
    """All rows that match, by primary key."""
    check_columns(schema, columns)
    with_row = bodies.with_row(schema, columns)
    answer = searches.one(alias, bodies.matching(schema, filter, with_row=with_row))
    found = list(answer["hits"]["hits"])
    if total(answer) > len(found):
        found = []
        with searches.moment(alias) as pit:
            page = None
            while page is None or len(page) == WINDOW:
                after = page[-1]["sort"] if page else None
                page = searches.at(pit, bodies.matching(schema, filter, with_row=with_row, after=after))["hits"]["hits"]
                found.extend(page)
    return Pool(_frame(schema, found, columns), len(found))


def _hits(searches: Searches, alias: str, schema: TableSchema, query: PoolQuery) -> tuple[Hits, int, Strategy]:
    """The n best, how many rows match, and how the n best were made sure."""
    wanted = [bodies.approximate(schema, query), bodies.count_base(schema, query)]
    if query.filter_mode == "post":
        wanted.append(bodies.count_matched(schema, query))
    near, *counts = searches.several(alias, wanted)
    base, matched = total(counts[0]), total(counts[-1])
    hits = near["hits"]["hits"]
    if base > EXACT_ROWS and len(hits) >= min(query.n, base):
        return hits, matched, "ann"
    whole = searches.one(alias, bodies.exact(schema, query))
    if query.filter_mode == "pre":
        matched = total(whole)
    return whole["hits"]["hits"], matched, "exact" if base <= EXACT_ROWS else "ann+exact"


def _frame(schema: TableSchema, hits: Hits, columns: Sequence[str]) -> pl.DataFrame:
    """PK, KEY and the columns asked for, in the order of the hits."""
    fields = [json.loads(hit["_source"]["row"]) if "_source" in hit else _key_only(schema, hit) for hit in hits]
    key = schema.fields[schema.primary_key]
    keys = [row[schema.primary_key] for row in fields]
    picked = [column(schema.fields[name], fields) for name in columns]
    return pl.DataFrame(
        [pl.Series(PK, list(map(str, keys)), dtype=pl.String), pl.Series(KEY, keys, dtype=dtype(key)), *picked]
    )


def _key_only(schema: TableSchema, hit: Mapping[str, Any]) -> dict[str, Any]:
    return {schema.primary_key: hit["sort"][-1]}
