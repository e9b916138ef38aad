"""Asks the cluster, and refuses answers that are not whole."""

from __future__ import annotations

import copy
import math
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from opensearchpy import exceptions

from engines.opensearch.edge import Interrupted, cluster_error
from engines.opensearch.sizes import Sizes
from havengate.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opensearchpy import OpenSearch

Answer = Mapping[str, Any]

_PIT = "2m"


class Searches:
    def __init__(self, client: OpenSearch, timeout_s: float = math.inf) -> None:
        """``timeout_s``: how long the client waits for any one answer."""
        self._client = client
        self._timeout_s = timeout_s
        # One copy of each shard for all of this process: copies refresh one after the other, and time must not
        # run backwards from one search to the next.
        self._copy = uuid.uuid4().hex
        self.sizes = Sizes()
        self._end: float | None = None

    def until(self, end: float | None) -> Searches:
        """The same, but none waits beyond ``end``, seconds of the monotonic clock: they raise TimedOut then."""
        limited = copy.copy(self)
        limited._end = end  # noqa: SLF001 - one of its own kind
        return limited

    def one(self, alias: str, body: Mapping[str, Any], *, preference: str | None = None) -> Answer:
        """``preference`` says which copies are asked, where those of this process will not do."""
        with self._in_time() as limit:
            parameters = {"preference": preference or self._copy, "allow_partial_search_results": "false", **limit}
            return _whole(self._client.search(index=alias, body=body, params=parameters))

    def several(self, alias: str, bodies: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """One round trip; each search sees its own moment."""
        head = {"index": alias, "preference": self._copy, "allow_partial_search_results": False}
        with self._in_time() as limit:
            asked = [part for body in bodies for part in (head, body)]
            answers: dict[str, Any] = self._client.msearch(body=asked, params=limit)
        return [_whole(answer) for answer in answers["responses"]]

    @contextmanager
    def moment(self, alias: str) -> Iterator[str]:
        """The id of a point in time, for pages that must agree."""
        parameters = {"keep_alive": _PIT, "preference": self._copy, "allow_partial_pit_creation": "false"}
        with self._in_time() as limit:
            pit: str = self._client.create_pit(index=alias, params={**parameters, **limit})["pit_id"]
        try:
            yield pit
        finally:
            # Of a node that is gone, nothing is left to delete; what stays ends by itself.
            with suppress(exceptions.TransportError, TimedOut), self._in_time() as limit:
                self._client.delete_pit(body={"pit_id": [pit]}, params=limit)

    def at(self, pit: str, body: Mapping[str, Any]) -> Answer:
        body = {**body, "pit": {"id": pit, "keep_alive": _PIT}}
        with self._in_time() as limit:
            return _whole(self._client.search(body=body, params={"allow_partial_search_results": "false", **limit}))

    @contextmanager
    def _in_time(self) -> Iterator[dict[str, Any]]:
        """The parameter that says how long a request may wait."""
        left = math.inf if self._end is None else self._end - time.monotonic()
        if left <= 0:
            raise _late()
        if left >= self._timeout_s:
            yield {}
            return
        try:
            yield {"request_timeout": left}
        except exceptions.ConnectionTimeout as error:
            raise _late() from error


def _late() -> TimedOut:
    return TimedOut("OpenSearch did not answer in the time that the search may take")


def total(answer: Answer) -> int:
    """Of a search with track_total_hits."""
    return int(answer["hits"]["total"]["value"])


def _whole(answer: Answer) -> Answer:
    if "error" in answer:
        raise cluster_error("searching", answer.get("status"), answer)
    if answer["timed_out"] or answer["_shards"]["failed"]:
        raise Interrupted(f"searching: only a part of the shards answered: {str(answer['_shards'])[:300]}")
    return answer
