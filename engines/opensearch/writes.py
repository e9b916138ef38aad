"""Rows into the index: bulk requests with a name for every row, refreshed once when the call is complete.

Readers see the refresh, not the requests, so a call appears whole on each shard. What the cluster cannot promise is
that a call that failed half-way leaves nothing: its error says so, and repeating it is safe.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opensearchpy import exceptions

from engines.opensearch.edge import cluster_error
from havengate.errors import EngineError

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

_BYTES = 8 << 20
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_BUSY = (429, 503)
_CONFLICT = 409
_NOT_FOUND = 404

Action = tuple[dict[str, Any], dict[str, Any] | None]
"""A bulk action and, but for deletions, its document."""


class Writes:
    def __init__(self, client: OpenSearch, timeout_s: float) -> None:
        self._client = client
        self._patience_s = timeout_s

    def run(self, alias: str, actions: Sequence[Action], *, refresh: bool = True) -> dict[str, int]:
        """HTTP status by _id: 200, 201, 404 (nothing to delete) or 409 (changed by somebody else).

        Without ``refresh`` no search sees the rows before the caller refreshes.

        Raises EngineError, or UnknownTable, when a row cannot be written.
        """
        batches = list(_batches(actions))
        done: dict[str, int] = {}
        try:
            for batch in batches:
                done |= self._insist(alias, batch, refresh=refresh and len(batches) == 1)
        finally:
            if refresh and len(batches) > 1:
                self._client.indices.refresh(index=alias)
        return done

    def _insist(self, alias: str, batch: Mapping[str, str], *, refresh: bool) -> dict[str, int]:
        """Repeats what a busy cluster turned away, with growing pauses, as long as one timeout."""
        deadline, pause = time.monotonic() + self._patience_s, _FIRST_PAUSE_S
        left, done = dict(batch), {}
        while True:
            answers, refusal = self._try(alias, left, refresh=refresh)
            for id_, item in answers.items():
                if item["status"] not in _BUSY:
                    done[id_] = _status(id_, item)
                    del left[id_]
                else:
                    refusal = item
            if not left:
                return done
            if time.monotonic() > deadline:
                error = cluster_error(f"{len(left)} of {len(batch)} rows were not written", 429, refusal)
                raise EngineError(f"{error.message}; the call may be repeated as it is")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _try(
        self, alias: str, lines: Mapping[str, str], *, refresh: bool
    ) -> tuple[dict[str, Mapping[str, Any]], object]:
        parameters = {"require_alias": "true", "refresh": "true" if refresh else "false"}
        try:
            answer = self._client.bulk(body="".join(lines.values()), index=alias, params=parameters)
        except exceptions.TransportError as error:
            if error.status_code in _BUSY:
                return {}, error.info
            raise
        items = (item for entry in answer["items"] for item in entry.values())
        return {item["_id"]: item for item in items}, None


def _status(id_: str, item: Mapping[str, Any]) -> int:
    status = int(item["status"])
    if "error" in item and status != _CONFLICT:
        raise cluster_error(f"writing row {id_!r}", status, item)
    return status


def _batches(actions: Iterable[Action]) -> Iterator[dict[str, str]]:
    """Bulk lines by _id, in parts of about eight megabytes."""
    batch: dict[str, str] = {}
    size = 0
    for action, document in actions:
        line = _line(action) + ("" if document is None else _line(document))
        ((_, target),) = action.items()
        batch[target["_id"]] = line
        size += len(line)
        if size > _BYTES:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


def _line(part: Mapping[str, Any]) -> str:
    return json.dumps(part, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
