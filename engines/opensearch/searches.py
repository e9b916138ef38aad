"""Asks the cluster, and refuses answers that are not whole."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from opensearchpy import exceptions

from engines.opensearch.edge import Interrupted, cluster_error
from engines.opensearch.sizes import Sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opensearchpy import OpenSearch

Answer = Mapping[str, Any]

_PIT = "2m"


class Searches:
    def __init__(self, client: OpenSearch) -> None:
        self._client = client
        # One copy of each shard for all of this process: copies refresh one after the other, and time must not
        # run backwards from one search to the next.
        self._copy = uuid.uuid4().hex
        self.sizes = Sizes()

    def one(self, alias: str, body: Mapping[str, Any]) -> Answer:
        parameters = {"preference": self._copy, "allow_partial_search_results": "false"}
        return _whole(self._client.search(index=alias, body=body, params=parameters))

    def several(self, alias: str, bodies: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """One round trip; each search sees its own moment."""
        head = {"index": alias, "preference": self._copy, "allow_partial_search_results": False}
        answers: dict[str, Any] = self._client.msearch(body=[part for body in bodies for part in (head, body)])
        return [_whole(answer) for answer in answers["responses"]]

    @contextmanager
    def moment(self, alias: str) -> Iterator[str]:
        """The id of a point in time, for pages that must agree."""
        parameters = {"keep_alive": _PIT, "preference": self._copy, "allow_partial_pit_creation": "false"}
        pit: str = self._client.create_pit(index=alias, params=parameters)["pit_id"]
        try:
            yield pit
        finally:
            # Of a node that is gone, nothing is left to delete; what stays ends by itself.
            with suppress(exceptions.TransportError):
                self._client.delete_pit(body={"pit_id": [pit]})

    def at(self, pit: str, body: Mapping[str, Any]) -> Answer:
        body = {**body, "pit": {"id": pit, "keep_alive": _PIT}}
        return _whole(self._client.search(body=body, params={"allow_partial_search_results": "false"}))


def total(answer: Answer) -> int:
    """Of a search with track_total_hits."""
    return int(answer["hits"]["total"]["value"])


def _whole(answer: Answer) -> Answer:
    if "error" in answer:
        raise cluster_error("searching", answer.get("status"), answer)
    if answer["timed_out"] or answer["_shards"]["failed"]:
        raise Interrupted(f"searching: only a part of the shards answered: {str(answer['_shards'])[:300]}")
    return answer
