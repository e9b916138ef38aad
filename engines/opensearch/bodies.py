"""Searches as request bodies. Pure.

Every search for a pool sorts by the exact score, computed in double precision from the stored float32 numbers, then by
the key. So the approximate search and the exact one give the same numbers in the same order; they differ in the
rows that they look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engines.opensearch import scripts
from engines.opensearch.documents import row_source
from engines.opensearch.dsl import Clause, all_of, any_of, exists
from engines.opensearch.filters import compile_filter
from engines.opensearch.mapping import WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engines.contract import PoolQuery
    from havengate.types import Expr
    from schemas.table import TableSchema, VectorIndex

Body = dict[str, Any]

FITS = "fits"
"""Name of the clause that tells which rows match a filter that applies afterwards."""

_FEWEST_CANDIDATES = 200
_CANDIDATES_PER_ROW = 4
_SCRIPTS = {"SquaredEuclidean": scripts.SQUARED_EUCLIDEAN, "InnerProduct": scripts.INNER_PRODUCT}


def approximate(schema: TableSchema, query: PoolQuery) -> Body:
    """The n best of the graph's candidates."""
    index = schema.vector_indexes[query.index]
    inside = {} if query.filter is None or query.filter_mode == "post" else {"filter": _filter(schema, query)}
    k = min(WINDOW, max(_CANDIDATES_PER_ROW * query.n, _FEWEST_CANDIDATES))
    searches = [
        {"knn": {f"vectors.{index.field}": {"vector": vector, "k": k, **inside}}} for vector in query.vectors.tolist()
    ]
    return _pool(schema, query, any_of(searches), total=False)


def exact(schema: TableSchema, query: PoolQuery) -> Body:
    """The n best of all rows that the pool is chosen from, and how many those are."""
    return _pool(schema, query, _base(schema, query), total=True)


def count_base(schema: TableSchema, query: PoolQuery) -> Body:
    """How many rows the n best are chosen from."""
    return _count(_base(schema, query))


def count_matched(schema: TableSchema, query: PoolQuery) -> Body:
    """How many rows match the filter and hold a vector in the index."""
    return _count(_matched(schema, query))


def matching(schema: TableSchema, filter: Expr | None, *, with_row: bool, after: Sequence[Any] | None = None) -> Body:
    """One page of all rows that match, by key, from behind the sort values ``after``."""
    key = f"fields.{schema.primary_key}"
    return {
        "query": {"match_all": {}} if filter is None else all_of([compile_filter(filter, schema)]),
        "sort": [{key: "asc"}],
        "size": WINDOW,
        "_source": ["row"] if with_row else False,
        "track_total_hits": True,
        **({} if after is None else {"search_after": list(after)}),
    }


def by_ids(ids: Sequence[str], vector_fields: Iterable[str]) -> Body:
    return {
        "query": {"ids": {"values": list(ids)}},
        "size": len(ids),
        "_source": row_source(vector_fields),
        "track_total_hits": False,
    }


def by_sources(schema: TableSchema, field: str, hashes: Sequence[str]) -> Body:
    """One row for each of the hashes that there are."""
    return {
        "query": {"terms": {f"sources.{field}": list(hashes)}},
        "collapse": {"field": f"sources.{field}"},
        "sort": [{f"fields.{schema.primary_key}": "asc"}],
        "size": len(hashes),
        "_source": row_source([field]),
        "track_total_hits": False,
    }


def statistics(schema: TableSchema) -> Body:
    """How many rows there are, and how many hold a vector, by index."""
    held = {index.name: {"filter": exists(_exact(index))} for index in schema.vector_indexes.values()}
    return {"size": 0, "track_total_hits": True, **({"aggs": held} if held else {})}


def with_row(schema: TableSchema, columns: Iterable[str]) -> bool:
    """Whether an answer needs more of a row than its key, which comes as a sort value."""
    return bool(set(columns) - {schema.primary_key}) or schema.key_type.is_string


def _pool(schema: TableSchema, query: PoolQuery, clause: Clause, *, total: bool) -> Body:
    index = schema.vector_indexes[query.index]
    script = {
        "lang": "painless",
        "source": _SCRIPTS[index.distance],
        "params": {"field": _exact(index), "query": packed(query)},
    }
    order = "desc" if index.distance == "InnerProduct" else "asc"
    if query.filter is not None and query.filter_mode == "post":
        named = {"bool": {"filter": [_filter(schema, query)], "_name": FITS}}
        clause = {"bool": {"must": [clause], "should": [named]}}
    return {
        "query": clause,
        "sort": [
            {"_script": {"type": "number", "order": order, "script": script}},
            {f"fields.{schema.primary_key}": "asc"},
        ],
        "size": query.n,
        "_source": ["row"] if with_row(schema, query.columns) else False,
        "track_total_hits": total,
    }


def packed(query: PoolQuery) -> str:
    """The query vectors' float32 bytes, big-endian, as characters 0 to 255: painless reads them without boxing."""
    return query.vectors.astype(np.dtype(">f4")).tobytes().decode("latin-1")


def _count(clause: Clause) -> Body:
    return {"query": clause, "size": 0, "track_total_hits": True}


def _base(schema: TableSchema, query: PoolQuery) -> Clause:
    if query.filter_mode == "post":
        return exists(_exact(schema.vector_indexes[query.index]))
    return _matched(schema, query)


def _matched(schema: TableSchema, query: PoolQuery) -> Clause:
    there = exists(_exact(schema.vector_indexes[query.index]))
    return there if query.filter is None else all_of([there, _filter(schema, query)])


def _filter(schema: TableSchema, query: PoolQuery) -> Clause:
    assert query.filter is not None  # noqa: S101  the callers asked
    return compile_filter(query.filter, schema)


def _exact(index: VectorIndex) -> str:
    return f"exact.{index.field}"
