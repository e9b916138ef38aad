"""Rows of one generation into another, page by page: memory holds one page, and the process's end ends it.

Each row is read and written as any row is. The cluster's own _reindex cannot do that: ``vectors`` are not in _source,
``fields`` depend on the schema (FLOAT is rounded), and ``row`` is text that painless cannot read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engines.opensearch import documents
from engines.opensearch.names import document_id
from engines.opensearch.searches import total
from engines.values import known_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines.contract import Progress
    from engines.opensearch.searches import Searches
    from engines.opensearch.writes import Action, Writes
    from schemas.table import TableSchema

_PAGE_BYTES = 4 << 20
_ROW_BYTES = 1_000
_NUMBER_BYTES = 6
_MOST_ROWS = 500


class Copying:
    def __init__(self, searches: Searches, writes: Writes) -> None:
        self._searches = searches
        self._writes = writes

    def count(self, alias: str) -> int:
        return total(self._searches.one(alias, {"size": 0, "track_total_hits": True}))

    def run(
        self,
        source: tuple[str, TableSchema],
        target: tuple[str, TableSchema],
        progress: Progress,
        alive: Callable[[], None],
    ) -> int:
        """Number of rows. ``source`` and ``target`` are an alias each with its schema; ``alive`` is called often."""
        (origin, old), (goal, new) = source, target
        done = 0
        with self._searches.moment(origin) as pit:
            page = self._searches.at(pit, _page(old, after=None))
            rows = total(page)
            progress(0, rows)
            while hits := page["hits"]["hits"]:
                self._writes.run(goal, [_action(old, new, hit["_source"]) for hit in hits], refresh=False)
                done += len(hits)
                alive()
                progress(done, rows)
                page = self._searches.at(pit, _page(old, after=hits[-1]["sort"]))
        return done


def _page(schema: TableSchema, after: list[Any] | None) -> dict[str, Any]:
    width = sum(index.dimension for index in schema.vector_indexes.values()) * _NUMBER_BYTES + _ROW_BYTES
    return {
        "query": {"match_all": {}},
        "sort": [{f"fields.{schema.primary_key}": "asc"}],
        "size": max(1, min(_MOST_ROWS, _PAGE_BYTES // width)),
        "_source": documents.row_source(schema.vector_fields),
        "track_total_hits": after is None,
        **({} if after is None else {"search_after": after}),
    }


def _action(old: TableSchema, new: TableSchema, source: dict[str, Any]) -> Action:
    row = known_part(new, documents.row(old, source))
    return {"index": {"_id": document_id(row.pk)}}, documents.document(new, row)
