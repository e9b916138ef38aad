"""One generation of a table: its reads, and its writes one call at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engines.contract import TableStats
from engines.opensearch import bodies, documents
from engines.opensearch.bodies import page_size
from engines.opensearch.edge import cluster_error
from engines.opensearch.explain import explained
from engines.opensearch.journal import Journal
from engines.opensearch.names import document_id
from engines.opensearch.patience import patiently
from engines.opensearch.pool import nearest_rows
from engines.opensearch.refresh import show
from engines.opensearch.rows import matching_rows
from engines.opensearch.searches import total
from engines.values import check_row, merge_rows, require_vector_fields
from havengate.errors import EngineError
from havengate.types import Row

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from engines.contract import Explanation, PoolQuery, RowsQuery
    from engines.opensearch.deletions import Deletions
    from engines.opensearch.searches import Searches
    from engines.opensearch.stored import Stored
    from engines.opensearch.writes import Action, Writes
    from havengate.types import Pool, Vector

_ROWS_PER_READ = 5_000
_HASHES_PER_READ = 1_000
_ROWS_PER_MERGE = 500
_ATTEMPTS = 10
_CREATED_OR_REPLACED = (200, 201)


class Table:
    """Calls on one generation as it was a moment ago: they fail where its address ended meanwhile."""

    def __init__(
        self,
        client: OpenSearch,
        searches: Searches,
        writes: Writes,
        deletions: Deletions,
        stored: Stored,
        *,
        lock: threading.Lock,
        patience_s: float,
    ) -> None:
        self._client = client
        self._searches = searches
        self._writes = writes
        self._deletions = deletions
        self._generation = stored
        self._alias = stored.address
        self._schema = stored.spec.schema
        self._patience_s = patience_s
        # A refresh shows everything that was sent: another call's first half must not be among it.
        self._lock = lock

    def upsert(self, rows: Sequence[Row]) -> None:
        for row in rows:
            check_row(self._schema, row, whole=True)
        latest = {row.pk: row for row in rows}
        with self._lock:
            self._write(self._index(row) for row in latest.values())

    def update_fields(self, patches: Sequence[Row]) -> list[str]:
        for patch in patches:
            check_row(self._schema, patch, whole=False)
        asked = list(dict.fromkeys(patch.pk for patch in patches))
        missing: set[str] = set()
        left = asked
        with self._lock:
            for _ in range(_ATTEMPTS):
                left = self._merge(patches, left, missing)
                if not left:
                    return [pk for pk in asked if pk in missing]
        raise EngineError(f"row {left[0]!r} is changed by others all the time; try again")

    def delete(self, pks: Sequence[str], call: str) -> int:
        """``call`` as for Deletions.begin."""
        ids = [document_id(pk) for pk in pks]
        actions: list[Action] = [({"delete": {"_id": id_}}, None) for id_ in ids]
        with self._lock:
            # A repeated deletion finds nothing when only the answer of the first was lost.
            there = {id_ for part in _parts(ids, _ROWS_PER_READ) for id_, _ in self._documents(part, "false")}
            self._deletions.begin(self._generation, call, pks)
            statuses = self._write(actions)
            self._deletions.end(self._generation, call, pks)
        return sum(id_ in there or status in _CREATED_OR_REPLACED for id_, status in statuses.items())

    def pool(self, query: PoolQuery, end: float | None = None) -> Pool:
        """``end``: seconds of the monotonic clock, after which it raises TimedOut."""
        return nearest_rows(self._searches.until(end), self._alias, self._schema, query)

    def rows(self, query: RowsQuery, end: float | None = None) -> Pool:
        """``end`` as in ``pool``."""
        return matching_rows(self._searches.until(end), self._alias, self._schema, query)

    def fetch(self, pks: Sequence[str], vector_fields: Sequence[str]) -> dict[str, Row]:
        require_vector_fields(self._schema, vector_fields)
        found: dict[str, Row] = {}
        for part in _parts(list(dict.fromkeys(pks)), _ROWS_PER_READ):
            # A search, because a get would see what no refresh has shown yet.
            answer = self._searches.one(self._alias, bodies.by_ids([document_id(pk) for pk in part], vector_fields))
            rows = [documents.row(self._schema, hit["_source"]) for hit in answer["hits"]["hits"]]
            found |= {row.pk: row for row in rows}
        return {pk: found[pk] for pk in pks if pk in found}

    def vectors_by_source(self, field: str, hashes: Sequence[str]) -> dict[str, Vector]:
        require_vector_fields(self._schema, [field])
        found: dict[str, Vector] = {}
        for part in _parts(list(dict.fromkeys(hashes)), _HASHES_PER_READ):
            answer = self._searches.one(self._alias, bodies.by_sources(self._schema, field, part))
            rows = [documents.row(self._schema, hit["_source"]) for hit in answer["hits"]["hits"]]
            found |= {row.sources[field]: row.vectors[field] for row in rows}
        return found

    def scan(self, after: str | None, limit: int) -> list[Row]:
        """Raises RequestError for what is no key of the table."""
        show(self._client, self._generation.index, self._patience_s)
        found: list[Row] = []
        while len(found) < limit:
            size = min(limit - len(found), page_size(self._schema))
            asked = bodies.in_order(self._schema, found[-1].pk if found else after, size)
            answer = self._searches.one(self._alias, asked, preference="_primary")
            page = [documents.row(self._schema, hit["_source"]) for hit in answer["hits"]["hits"]]
            found += page
            if len(page) < size:
                break
        return found

    def mark(self) -> str:
        return self._journal().mark()

    def touched(self, mark: str) -> list[str]:
        return self._journal().touched(mark)

    def _journal(self) -> Journal:
        deletions = self._deletions.alias(self._generation)
        return Journal(self._client, self._searches, self._generation, deletions, self._patience_s)

    def explain(self, query: PoolQuery | RowsQuery, *, profile: bool) -> Explanation:
        return explained(self._searches, self._alias, self._schema, query, profile=profile)

    def stats(self) -> TableStats:
        answer = self._searches.one(self._alias, bodies.statistics(self._schema))
        held = {name: part["doc_count"] for name, part in answer.get("aggregations", {}).items()}
        stored = self._client.indices.stats(index=self._alias, metric="store")
        return TableStats(total(answer), held, int(stored["_all"]["total"]["store"]["size_in_bytes"]))

    def _merge(self, patches: Sequence[Row], pks: Sequence[str], missing: set[str]) -> list[str]:
        """Merges the patches of these keys; returns the keys that somebody else changed meanwhile."""
        stored = self._stored(pks)
        missing.update(pk for pk in pks if pk not in stored)
        merged: dict[str, Row] = {pk: row for pk, (row, _) in stored.items()}
        for patch in patches:
            if patch.pk in merged:
                merged[patch.pk] = merge_rows(merged[patch.pk], patch)
        statuses = self._write(self._index(row, stored[pk][1]) for pk, row in merged.items())
        return [pk for pk in merged if statuses[document_id(pk)] not in _CREATED_OR_REPLACED]

    def _stored(self, pks: Sequence[str]) -> dict[str, tuple[Row, dict[str, Any]]]:
        """Rows as they are at this moment, each with the condition that it still is."""
        found: dict[str, tuple[Row, dict[str, Any]]] = {}
        source = ",".join(documents.row_source(self._schema.vector_fields))
        for part in _parts(pks, _ROWS_PER_MERGE):
            for _, item in self._documents([document_id(pk) for pk in part], source):
                row = documents.row(self._schema, item["_source"])
                found[row.pk] = (row, {"if_seq_no": item["_seq_no"], "if_primary_term": item["_primary_term"]})
        return found

    def _documents(self, ids: Sequence[str], source: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Documents that are there at this moment, refreshed or not, by _id."""
        if not ids:
            return []
        return patiently(lambda: self._get(ids, source), self._patience_s)

    def _get(self, ids: Sequence[str], source: str) -> list[tuple[str, Mapping[str, Any]]]:
        answer = self._client.mget(body={"ids": list(ids)}, index=self._alias, params={"_source": source})
        for item in answer["docs"]:
            # A shard that cannot answer is not a row that is missing.
            if "error" in item:
                raise cluster_error("reading rows", 503, item)
        return [(item["_id"], item) for item in answer["docs"] if item["found"]]

    def _write(self, actions: Iterable[Action]) -> dict[str, int]:
        return self._writes.run(self._alias, actions, index=self._generation.index)

    def _index(self, row: Row, condition: dict[str, Any] | None = None) -> Action:
        target = {"_id": document_id(row.pk), **(condition or {})}
        return {"index": target}, documents.document(self._schema, row)


def _parts(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))
