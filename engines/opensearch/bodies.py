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
from engines.opensearch.order import order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engines.contract import PoolQuery, RowsQuery
    from havengate.types import Expr
    from schemas.table import TableSchema, VectorIndex

Body = dict[str, Any]

FITS = "fits"
"""Name of the clause that tells which rows match a filter that applies afterwards."""

_FEWEST_CANDIDATES = 200
_CANDIDATES_PER_ROW = 4
_SCRIPTS = {"SquaredEuclidean": scripts.SQUARED_EUCLIDEAN, "InnerProduct": scripts.INNER_PRODUCT}


def approximate(schema: TableSchema, query: PoolQuery, *, widest: bool = False) -> Body:
    """The n best of the graph's candidates; ``widest`` asks for as many of those as an index gives."""
    index = schema.vector_indexes[query.index]
    before = _compiled(schema, _before(query))
    inside = {"filter": all_of(before)} if before else {}
    k = WINDOW if widest else min(WINDOW, max(_CANDIDATES_PER_ROW * query.n, _FEWEST_CANDIDATES))
    searches = [
        {"knn": {f"vectors.{index.field}": {"vector": vector, "k": k, **inside}}} for vector in query.vectors.tolist()
    ]
    return _pool(schema, query, any_of(searches), total=False)


def exact(schema: TableSchema, query: PoolQuery) -> Body:
    """The n best of all rows that the pool is chosen from, and how many those are."""
    return _pool(schema, query, base(schema, query), total=True)


def count_base(schema: TableSchema, query: PoolQuery) -> Body:
    """How many rows the n best are chosen from."""
    return _count(base(schema, query))


def count_matched(schema: TableSchema, query: PoolQuery) -> Body:
    """How many rows match the filter and hold a vector in the index."""
    return _count(_matched(schema, query))


def matching(schema: TableSchema, query: RowsQuery, size: int, *, after: Sequence[Any] | None = None) -> Body:
    """One page of the rows that match, in their order, from behind the sort values ``after``."""
    clause: Clause = {"match_all": {}} if query.filter is None else all_of([compile_filter(query.filter, schema)])
    return {
        "query": _with_names(clause, _marks(schema, query.marks)),
        "sort": [*order(schema, query.order), {f"fields.{schema.primary_key}": "asc"}],
        "size": size,
        "_source": ["row"],
        "track_total_hits": after is None,
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


def mark_name(mark: int) -> str:
    """Name of the clause that tells which rows a mark holds for."""
    return f"mark:{mark}"


def _pool(schema: TableSchema, query: PoolQuery, clause: Clause, *, total: bool) -> Body:
    index = schema.vector_indexes[query.index]
    script = {
        "lang": "painless",
        "source": _SCRIPTS[index.distance],
        "params": {"field": _exact(index), "query": packed(query)},
    }
    direction = "desc" if index.distance == "InnerProduct" else "asc"
    named = _marks(schema, query.marks)
    if query.filter is not None and query.filter_mode == "post":
        named[FITS] = compile_filter(query.filter, schema)
    return {
        "query": _with_names(clause, named),
        "sort": [
            {"_script": {"type": "number", "order": direction, "script": script}},
            {f"fields.{schema.primary_key}": "asc"},
        ],
        "size": query.n,
        "_source": ["row"],
        "track_total_hits": total,
    }


def packed(query: PoolQuery) -> str:
    """The query vectors' float32 bytes, big-endian, as characters 0 to 255: painless reads them without boxing."""
    return query.vectors.astype(np.dtype(">f4")).tobytes().decode("latin-1")


def _count(clause: Clause) -> Body:
    return {"query": clause, "size": 0, "track_total_hits": True}


def base(schema: TableSchema, query: PoolQuery) -> Clause:
    """The rows that the n best are chosen from."""
    return _with_vector(schema, query, _before(query))


def _before(query: PoolQuery) -> list[Expr | None]:
    """What applies before the n best are chosen."""
    return [query.within] if query.filter_mode == "post" else [query.within, query.filter]


def _matched(schema: TableSchema, query: PoolQuery) -> Clause:
    return _with_vector(schema, query, [query.within, query.filter])


def _with_vector(schema: TableSchema, query: PoolQuery, conditions: Iterable[Expr | None]) -> Clause:
    there = exists(_exact(schema.vector_indexes[query.index]))
    return all_of([there, *_compiled(schema, conditions)])


def _compiled(schema: TableSchema, conditions: Iterable[Expr | None]) -> list[Clause]:
    return [compile_filter(condition, schema) for condition in conditions if condition is not None]


def _marks(schema: TableSchema, marks: Sequence[Expr]) -> dict[str, Clause]:
    return {mark_name(number): compile_filter(mark, schema) for number, mark in enumerate(marks)}


def _with_names(clause: Clause, named: Mapping[str, Clause]) -> Clause:
    """``clause``, whose hits tell which of the named clauses match them, too."""
    if not named:
        return clause
    told = [{"bool": {"filter": [inner], "_name": name}} for name, inner in named.items()]
    return {"bool": {"must": [clause], "should": told}}


def _exact(index: VectorIndex) -> str:
    return f"exact.{index.field}"
