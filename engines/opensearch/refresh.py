"""When searches see what was written: with the call that wrote it, or later, many calls at once."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from opensearchpy import exceptions

from engines.opensearch.edge import Interrupted
from engines.opensearch.patience import patiently
from havengate.errors import EngineError

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

_LOG = logging.getLogger(__name__)
LATEST_S = 1.0
"""Other gateways see rows of ``refresh=none`` so much later, at the latest."""


def show(client: OpenSearch, index: str, patience_s: float) -> None:
    """All that was written is seen by the next search. Raises Interrupted while a shard cannot."""

    def refresh() -> None:
        shards = client.indices.refresh(index=index)["_shards"]
        if shards["failed"]:
            raise Interrupted(f"showing what was written: some shards cannot answer ({str(shards)[:300]})")

    patiently(refresh, patience_s)


class Late:
    """Indexes whose last rows are written but not shown.

    A read of this process shows them first, so that it sees its own writes; otherwise a timer does.
    """

    def __init__(self, client: OpenSearch, patience_s: float) -> None:
        self._client = client
        self._patience_s = patience_s
        self._waiting: dict[str, threading.Timer] = {}
        # Held while an index is shown: whoever reads it meanwhile must wait for that, and nobody else.
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def soon(self, index: str) -> None:
        with self._locks[index]:
            if index not in self._waiting:
                self._start(index)

    def now(self, index: str) -> None:
        if index in self._waiting:
            with self._locks[index]:
                self._show(index)

    def close(self) -> None:
        """Shows what is left, as far as that goes. Raises EngineError, TransportError."""
        with ExitStack() as each:
            for index in list(self._waiting):
                each.callback(self._end, index)

    def _show(self, index: str) -> None:
        if index in self._waiting:
            # A table that was dropped has nothing to show.
            with suppress(exceptions.NotFoundError):
                show(self._client, index, self._patience_s)
            self._waiting.pop(index).cancel()

    def _end(self, index: str) -> None:
        with self._locks[index]:
            try:
                self._show(index)
            finally:
                if timer := self._waiting.pop(index, None):
                    timer.cancel()

    def _start(self, index: str) -> None:
        self._waiting[index] = timer = threading.Timer(LATEST_S, self._ring, [index])
        timer.daemon = True
        timer.start()

    def _ring(self, index: str) -> None:
        with self._locks[index]:
            try:
                self._show(index)
            except (exceptions.OpenSearchException, EngineError) as error:
                _LOG.warning("index %s: rows that were written cannot be shown yet: %s", index, error)
                self._start(index)
