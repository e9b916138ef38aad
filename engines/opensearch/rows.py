"""Rows that match, without a vector term: one page where it holds them, pages of one moment otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engines.checks import check_rows_query, require_most
from engines.opensearch import bodies, hits
from engines.opensearch.mapping import WINDOW
from engines.opensearch.searches import total
from havengate.types import Pool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engines.contract import RowsQuery
    from engines.opensearch.searches import Searches
    from schemas.table import TableSchema


def matching_rows(searches: Searches, alias: str, schema: TableSchema, query: RowsQuery) -> Pool:
    """The rows of ``query`` in its order. Raises RequestError for what the table lacks and for too many rows."""
    check_rows_query(query, schema)
    answer = searches.one(alias, bodies.matching(schema, query, page_size(query)))
    found, matched = list(answer["hits"]["hits"]), total(answer)
    if query.limit is None:
        require_most(matched, query.most)
    if len(found) < (matched if query.limit is None else min(query.limit, matched)):
        found, matched = _pages(searches, alias, schema, query)
    return Pool(hits.frame(schema, found, query.columns, len(query.marks)), matched)


def _pages(
    searches: Searches, alias: str, schema: TableSchema, query: RowsQuery
) -> tuple[list[Mapping[str, Any]], int]:
    found: list[Mapping[str, Any]] = []
    matched = 0
    with searches.moment(alias) as pit:
        while size := page_size(query, len(found)):
            after = found[-1]["sort"] if found else None
            answer = searches.at(pit, bodies.matching(schema, query, size, after=after))
            matched = matched if found else total(answer)
            page = answer["hits"]["hits"]
            found.extend(page)
            if len(page) < size:
                break
    return found, matched


def page_size(query: RowsQuery, have: int = 0) -> int:
    """Rows of the next page."""
    return WINDOW if query.limit is None else min(WINDOW, query.limit - have)
