"""Writes are held back while a table is changed: a block on its index, with an alias that says whose it is.

A hold ends with its change. Where that was killed, whoever comes next (a writer, another change) ends it: as long as
the change lives, it gives a sign of life in the index's _meta.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from opensearchpy import exceptions

from engines.opensearch.edge import Interrupted
from engines.opensearch.stored import beating
from havengate.errors import Busy, EngineError

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from engines.contract import TableSpec
    from engines.opensearch.catalog import Catalog
    from engines.opensearch.stored import Stored

_PAUSE_S = 0.3


class Holds:
    def __init__(self, client: OpenSearch, catalog: Catalog) -> None:
        self._client = client
        self._catalog = catalog

    def hold(self, name: str, stored: Stored) -> None:
        """When this returns, every write that was accepted is in the index, and no other will be."""
        self.beat(stored.index, stored.spec)
        self._client.indices.put_alias(index=stored.index, name=self._catalog.all_names.held_alias(name))
        self.block(stored.index)

    def block(self, index: str) -> None:
        """Raises Interrupted where not every shard stopped taking writes."""
        answer = self._client.indices.add_block(index=index, block="write")
        # An index that was blocked before is not among the indices of the answer.
        if not answer["acknowledged"] or (answer["indices"] and not answer["shards_acknowledged"]):
            raise Interrupted(f"holding writes back from {index}: some shards did not answer; try again")

    def beat(self, index: str, spec: TableSpec) -> None:
        """A sign of life of the change that holds or builds this index (or alias of one)."""
        self._client.indices.put_mapping(index=index, body={"_meta": beating(spec)})

    def release(self, name: str, stored: Stored) -> None:
        """The alias goes last: until then the next who comes would lift the block."""
        with suppress(exceptions.NotFoundError):
            self._client.indices.put_settings(index=stored.index, body={"index.blocks.write": None})
            self._client.indices.delete_alias(index=stored.index, name=self._catalog.all_names.held_alias(name))
        self._catalog.forget(name)

    def require_free(self, name: str) -> None:
        """Ends what a killed change left. Raises Busy where one is going on, UnknownTable."""
        self._catalog.read(name)
        found = self._catalog.generations(name)
        if any(stored.alive for stored in found):
            raise Busy(f"table {name!r} is being changed; try again later")
        for stored in found:
            if not stored.finished:
                self.remove(stored.index)
            elif stored.held:
                self.release(name, stored)

    def remove(self, index: str) -> None:
        with suppress(exceptions.NotFoundError):
            self._client.indices.delete(index=index)

    def wait(self, name: str, tried: str, deadline: float) -> None:
        """For a writer whom the index ``tried`` turned away: returns when trying again may help.

        Raises Busy at the deadline (seconds of the monotonic clock), EngineError where the block is not of our making.
        """
        self._catalog.forget(name)
        current = self._catalog.read(name)
        if current.index != tried:
            return
        if not current.blocked:
            # Lifted meanwhile; or only on its way, so that shards refuse before the settings tell.
            _pause(deadline, f"table {name!r} takes no writes for now; try again later")
            return
        if not current.held:
            raise EngineError(
                f"index {current.index} takes no writes: somebody else set index.blocks.write; lift the block"
            )
        try:
            self.require_free(name)
        except Busy as error:
            _pause(deadline, error.message)


def _pause(deadline: float, message: str) -> None:
    if time.monotonic() > deadline:
        raise Busy(message)
    time.sleep(_PAUSE_S)
