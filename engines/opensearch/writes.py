"""Rows into the index: bulk requests with a name for every row, shown once when the call is complete.

Readers see the refresh, not the requests, so a call appears whole on each shard. What the cluster cannot promise is
that a call that failed half-way leaves nothing: its error says so, and repeating it is safe.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from opensearchpy import exceptions

from engines.opensearch.edge import PASSING_STATUS, cluster_error
from engines.opensearch.patience import pauses
from engines.opensearch.refresh import Late, show
from havengate.errors import EngineError

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

_BYTES = 8 << 20
_BUSY = (429, *PASSING_STATUS)
_CONFLICT = 409
_NOT_FOUND = 404

Action = tuple[dict[str, Any], dict[str, Any] | None]
"""A bulk action and, but for deletions, its document."""


class Writes:
    """``late``: calls return before their rows are shown, which it does some time later."""

    def __init__(self, client: OpenSearch, timeout_s: float, late: Late | None = None) -> None:
        self._client = client
        self._patience_s = timeout_s
        self._late = late

    def run(
        self, alias: str, actions: Iterable[Action], *, refresh: bool = True, index: str | None = None
    ) -> dict[str, int]:
        """HTTP status by _id: 200, 201, 404 (nothing to delete) or 409 (changed by somebody else).

        Without ``refresh`` no search sees the rows before the caller refreshes. ``index`` is what the alias leads to,
        where that is known: it is shown also when the alias ends meanwhile.

        Raises EngineError, or UnknownTable, when a row cannot be written.
        """
        batches = list(_batches(actions))
        at_once = refresh and self._late is None
        done: dict[str, int] = {}
        try:
            for batch in batches:
                done |= self._insist(alias, batch, refresh=at_once and len(batches) == 1)
        finally:
            if at_once and len(batches) > 1:
                show(self._client, index or alias, self._patience_s)
            elif refresh and self._late is not None and batches:
                self._late.soon(index or alias)
        return done

    def _insist(self, alias: str, batch: Mapping[str, bytes], *, refresh: bool) -> dict[str, int]:
        """Repeats what a busy cluster turned away, with growing pauses, as long as one timeout."""
        deadline, waits = time.monotonic() + self._patience_s, pauses()
        left, done = dict(batch), {}
        while True:
            answers, refusal = self._try(alias, left, refresh=refresh)
            for id_, item in answers.items():
                if item["status"] not in _BUSY or _is_blocked(item):
                    done[id_] = _status(id_, item)
                    del left[id_]
                else:
                    refusal = item
            if not left:
                return done
            if time.monotonic() > deadline:
                error = cluster_error(f"{len(left)} of {len(batch)} rows were not written", 429, refusal)
                raise EngineError(f"{error.message}; the call may be repeated as it is")
            time.sleep(next(waits))

    def _try(
        self, alias: str, lines: Mapping[str, bytes], *, refresh: bool
    ) -> tuple[dict[str, Mapping[str, Any]], object]:
        parameters = {"require_alias": "true", "refresh": "true" if refresh else "false"}
        try:
            answer = self._client.bulk(body=b"".join(lines.values()), index=alias, params=parameters)
        except exceptions.TransportError as error:
            if error.status_code in _BUSY:
                return {}, error.info or error.error
            raise
        items = (item for entry in answer["items"] for item in entry.values())
        return {item["_id"]: item for item in items}, None


def _is_blocked(item: Mapping[str, Any]) -> bool:
    """A full disk is told as 429, too, but does not pass by itself."""
    return bool(item.get("error", {}).get("type") == "cluster_block_exception")


def _status(id_: str, item: Mapping[str, Any]) -> int:
    status = int(item["status"])
    if "error" in item and status != _CONFLICT:
        raise cluster_error(f"writing row {id_!r}", status, item)
    return status


def _batches(actions: Iterable[Action]) -> Iterator[dict[str, bytes]]:
    """Bulk lines by _id, in parts of at most eight megabytes or one row."""
    batch: dict[str, bytes] = {}
    size = 0
    for action, document in actions:
        line = _line(action) + (b"" if document is None else _line(document))
        if batch and size + len(line) > _BYTES:
            yield batch
            batch, size = {}, 0
        ((_, target),) = action.items()
        batch[target["_id"]] = line
        size += len(line)
    if batch:
        yield batch


def _line(part: Mapping[str, Any]) -> bytes:
    return (json.dumps(part, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n").encode()
