"""Searches that no vector term asks for, as request bodies. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engines.opensearch.documents import ROW, row_source
from engines.opensearch.dsl import Clause, exists
from engines.opensearch.filters import compile_filter
from engines.opensearch.mapping import internal, key_path
from engines.opensearch.order import order
from engines.opensearch.tokens import keyword
from engines.values import key_value
from havengate.codes import HaCode
from havengate.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engines.contract import RowsQuery
    from havengate.types import Expr
    from schemas.table import TableSchema, VectorIndex

Body = dict[str, Any]

_PAGE_BYTES = 4 << 20
_ROW_BYTES = 1_000
_NUMBER_BYTES = 6
_MOST_ROWS = 500


def matching(schema: TableSchema, query: RowsQuery, size: int, *, after: Sequence[Any] | None = None) -> Body:
    """One page of the rows that match, in their order, from behind the sort values ``after``."""
    clause: Clause = {"match_all": {}} if query.filter is None else compile_filter(query.filter, schema)
    return {
        "query": with_names(clause, marks(schema, query.marks)),
        "sort": [*order(schema, query.order), {key_path(schema): "asc"}],
        "size": size,
        "_source": [ROW],
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
        "query": {"terms": {internal("sources", field): list(hashes)}},
        "collapse": {"field": internal("sources", field)},
        "sort": [{key_path(schema): "asc"}],
        "size": len(hashes),
        "_source": row_source([field]),
        "track_total_hits": False,
    }


def in_order(schema: TableSchema, after: str | None, size: int) -> Body:
    """The next whole rows behind a key. Raises RequestError for what is no key of the table."""
    return {
        "query": {"match_all": {}},
        "sort": [{key_path(schema): "asc"}],
        "size": size,
        "_source": row_source(schema.vector_fields),
        "track_total_hits": False,
        **({} if after is None else {"search_after": [_place(schema, after)]}),
    }


def page_size(schema: TableSchema) -> int:
    """How many whole rows are asked for at once: their vectors are to stay below four megabytes."""
    width = sum(index.dimension for index in schema.vector_indexes.values()) * _NUMBER_BYTES + _ROW_BYTES
    return max(1, min(_MOST_ROWS, _PAGE_BYTES // width))


def _place(schema: TableSchema, pk: str) -> str | int:
    key = key_value(schema, pk)
    if key is None:
        raise RequestError(f"{pk!r} is no key of the table", code=HaCode.QUERY_INVALID)
    return keyword(key) if isinstance(key, str) else key


def statistics(schema: TableSchema) -> Body:
    """How many rows there are, and how many hold a vector, by index."""
    held = {index.name: {"filter": exists(vector_path(index))} for index in schema.vector_indexes.values()}
    return {"size": 0, "track_total_hits": True, **({"aggs": held} if held else {})}


def mark_name(mark: int) -> str:
    """Name of the clause that tells which rows a mark holds for."""
    return f"mark:{mark}"


def marks(schema: TableSchema, conditions: Sequence[Expr]) -> dict[str, Clause]:
    """The clauses of marks by their names."""
    return {mark_name(number): compile_filter(mark, schema) for number, mark in enumerate(conditions)}


def with_names(clause: Clause, named: Mapping[str, Clause]) -> Clause:
    """``clause``, whose hits tell which of the named clauses match them, too."""
    if not named:
        return clause
    told = [{"bool": {"filter": [inner], "_name": name}} for name, inner in named.items()]
    return {"bool": {"must": [clause], "should": told}}


def vector_path(index: VectorIndex) -> str:
    """The field that says whether a row holds a vector of the index, and which."""
    return internal("exact", index.field)
