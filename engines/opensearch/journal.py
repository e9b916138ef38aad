"""Which rows of a generation were written or deleted since a moment.

The cluster numbers the operations of each shard. A mark is the shards' global checkpoints: what has a number up to
that is on every copy, so no copy that takes over can be without it, and a search after the mark sees it. What was
written later has a greater number, which a search of that shard asks for; deletions are told by deletions.py.
Everything is asked of primary shards, whose numbers these are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from opensearchpy import exceptions

from engines.opensearch.deletions import KEYS, OPEN
from engines.opensearch.documents import ROW, row_text
from engines.opensearch.edge import Interrupted
from engines.opensearch.refresh import show
from havengate.codes import HaCode
from havengate.errors import RequestError

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from engines.opensearch.searches import Searches
    from engines.opensearch.stored import Stored

_PAGE = 1_000
_UUID, _SHARDS = "uuid", "shards"
_IN_USE = ("STARTED", "RELOCATING")

Hit = Mapping[str, Any]
Checkpoints = dict[str, Any]
"""The index's uuid and its shards' global checkpoints by their number; empty where there is no index."""


class Journal:
    """Of one generation, whose deletions have the alias ``deletions``."""

    def __init__(
        self, client: OpenSearch, searches: Searches, stored: Stored, deletions: str, patience_s: float
    ) -> None:
        self._client = client
        self._searches = searches
        self._stored = stored
        self._deletions = deletions
        self._patience_s = patience_s

    def mark(self) -> str:
        checkpoints = {"rows": self._checkpoints(self._stored.address), "deletions": self._deleted()}
        return json.dumps(checkpoints, separators=(",", ":"))

    def touched(self, mark: str) -> list[str]:
        """Raises RequestError for a mark of another generation."""
        since = _read(mark)
        now = self._checkpoints(self._stored.address)
        if since["rows"].get(_UUID) != now[_UUID]:
            raise RequestError(
                f"the mark was not made for generation {self._stored.generation!r} of {self._stored.spec.table!r}",
                code=HaCode.QUERY_INVALID,
            )
        keys = dict.fromkeys(self._written(since["rows"][_SHARDS]))
        # After the rows: of one that is deleted in between, the deletion is found.
        keys.update(dict.fromkeys(self._gone(since["deletions"])))
        return list(keys)

    def _written(self, since: Mapping[str, int]) -> Iterator[str]:
        show(self._client, self._stored.index, self._patience_s)
        key = self._stored.spec.schema.primary_key
        for shard in range(self._stored.shards):
            later = _later(since.get(str(shard), -1))
            for hit in self._hits(self._stored.address, later, [ROW], shard):
                yield str(json.loads(row_text(hit["_source"]))[key])

    def _gone(self, since: Checkpoints) -> Iterator[str]:
        now = self._deleted()
        if not now:
            return
        show(self._client, self._deletions, self._patience_s)
        # Made since the mark, or again: all of it is later.
        same = since.get(_UUID) == now[_UUID]
        later = _later(since[_SHARDS].get("0", -1) if same else -1)
        asked = {"bool": {"should": [{"term": {OPEN: True}}, later]}}
        for hit in self._hits(self._deletions, asked, [KEYS], 0):
            yield from hit["_source"][KEYS]

    def _hits(self, alias: str, clause: Mapping[str, Any], source: list[str], shard: int) -> Iterator[Hit]:
        """In the order of their numbers, so that what is written meanwhile comes last, if at all."""
        body = {"query": clause, "sort": [{"_seq_no": "asc"}], "size": _PAGE, "_source": source}
        page: list[Hit] = []
        while len(page) in (0, _PAGE):
            after = {"search_after": page[-1]["sort"]} if page else {}
            asked = {**body, "track_total_hits": False, **after}
            page = self._searches.one(alias, asked, preference=f"_shards:{shard}|_primary")["hits"]["hits"]
            if not page:
                return
            yield from page

    def _deleted(self) -> Checkpoints:
        try:
            return self._checkpoints(self._deletions)
        except exceptions.NotFoundError:
            return {}

    def _checkpoints(self, alias: str) -> Checkpoints:
        told = self._client.indices.stats(index=alias, metric="indexing", params={"level": "shards"})
        if not told["indices"]:
            raise Interrupted(f"reading the journal of {alias}: no shard answers")
        ((_, index),) = told["indices"].items()
        # A shard of which nothing is known has no checkpoint here: all of its rows count as written since.
        return {_UUID: index["uuid"], _SHARDS: dict(_globals(index["shards"]))}


def _globals(shards: Mapping[str, list[dict[str, Any]]]) -> Iterator[tuple[str, int]]:
    for number, copies in shards.items():
        for copy in copies:
            if copy["routing"]["primary"] and copy["routing"]["state"] in _IN_USE and "seq_no" in copy:
                yield number, copy["seq_no"]["global_checkpoint"]


def _later(number: int) -> dict[str, Any]:
    return {"range": {"_seq_no": {"gt": number}}}


def _read(mark: str) -> Mapping[str, Checkpoints]:
    try:
        content: Mapping[str, Checkpoints] = json.loads(mark)
        if {"rows", "deletions"} <= content.keys():
            return content
    except (ValueError, AttributeError):
        pass
    raise RequestError(f"{mark[:100]!r} is no mark of this engine", code=HaCode.QUERY_INVALID)
