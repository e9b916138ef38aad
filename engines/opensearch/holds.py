"""Writes held back while a table goes over to another generation, so that none of them can be lost.

What keeps a late write out is the generation's address: an alias that ends with every change of what the generation
is, and without which no request is taken. Taking, giving back and passing on (generations.py) are one call for aliases
each, which is refused as a whole unless the generation still has the address that the caller saw. So of any two that
contend, a swap whose answer was lost and whoever ends its hold among them, exactly one comes through; and a gateway
that remembers an older address, or was asleep with a request in its hands, is turned away and looks again.

The block of the index is for requests that the cluster had taken by then: when it is set, they are done. It stays on
the generation that was left.

A hold ends with its ``held``. Where that was killed, whoever comes next (a writer, another change) ends it: as long as
it lives, the name of a second alias says so every ten seconds.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from opensearchpy import exceptions

from engines.contract import generation_of
from engines.opensearch.edge import Interrupted
from engines.opensearch.stored import LIFELESS_S
from havengate.errors import Busy, EngineError

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from engines.opensearch.catalog import Catalog
    from engines.opensearch.stored import Stored

_LOG = logging.getLogger(__name__)
_PAUSE_S = 0.3
_BEAT_S = LIFELESS_S / 6

Actions = list[dict[str, Any]]


class Holds:
    def __init__(self, client: OpenSearch, catalog: Catalog) -> None:
        self._client = client
        self._catalog = catalog
        self._names = catalog.all_names

    @contextmanager
    def held(self, stored: Stored) -> Iterator[str]:
        """The address meanwhile: the block ends by ``end`` or by a swap that takes it away, or else it raises.

        All writes that were acknowledged are in the index by now. Raises Busy where others were first, Interrupted
        where a shard did not stop taking writes, EngineError where none takes them because of somebody else.
        """
        if stored.blocked and not stored.held:
            raise _blocked(stored)
        address = self.new_address(stored)
        try:
            self.exchange(stored, stored.address, address, self._sign(stored))
        except exceptions.NotFoundError as error:
            raise Busy(f"table {stored.spec.table!r} is being changed; try again later") from error
        try:
            self._block(stored.index)
            yield address
        except BaseException:
            self._give_back(stored, address)
            raise

    @contextmanager
    def beating(self, stored: Stored, address: str) -> Iterator[None]:
        """Signs of life of a hold, however long the block takes. It must end before the swap."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(_BEAT_S):
                try:
                    self.exchange(stored, address, address, [*self.no_sign(stored), *self._sign(stored)])
                except exceptions.NotFoundError:
                    return
                except exceptions.OpenSearchException as error:
                    _LOG.warning("table %s: no sign of life of its hold: %s", stored.spec.table, error)

        thread = threading.Thread(target=copy_context().run, args=(beat,), name="havengate-hold", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def new_address(self, stored: Stored) -> str:
        return self._names.new_address(stored.spec.table, stored.generation, uuid.uuid4().hex)

    def exchange(self, stored: Stored, old: str, new: str, also: Actions) -> None:
        """The one call, which gives the index another address. Raises NotFoundError where it has not the old one."""
        try:
            self._client.indices.update_aliases(body={"actions": [*moving(stored.index, old, new), *also]})
        except exceptions.TransportError:
            # The answer may be lost, and the call done; or made twice, and refused the second time.
            if not self._client.indices.exists_alias(index=stored.index, name=new):
                raise
        finally:
            self._catalog.forget(stored.spec.table)

    def no_sign(self, stored: Stored) -> Actions:
        return [{"remove": {"index": stored.index, "alias": self._names.holds(stored.spec.table)}}]

    def _sign(self, stored: Stored) -> Actions:
        alias = self._names.held_alias(stored.spec.table, int(time.time()))
        return [{"add": {"index": stored.index, "alias": alias}}]

    def require_free(self, name: str) -> None:
        """Ends what a killed change left. Raises Busy where one is going on, UnknownTable."""
        self._catalog.current(name)
        for stored in self._catalog.generations(name):
            if stored.alive:
                raise Busy(f"table {name!r} is being changed; try again later")
            if stored.held:
                self._heal(stored)

    def lift(self, index: str) -> None:
        self._client.indices.put_settings(index=index, body={"index.blocks.write": None})

    def wait(self, name: str, tried: Stored, deadline: float) -> None:
        """For a writer that was turned away from ``tried``: returns when trying again may help.

        Raises Busy at the deadline (seconds of the monotonic clock), EngineError where the block is not of our making.
        """
        self._catalog.forget(name)
        now = self._catalog.read(name)
        if now.alive:
            _pause(deadline, f"table {now.spec.table!r} is being changed; try again later")
        elif now.held:
            self._heal(now)
        elif now.address != tried.address:
            return
        elif not now.blocked:
            # Lifted meanwhile; or only on its way, so that shards refuse before the settings tell.
            _pause(deadline, f"table {now.spec.table!r} takes no writes for now; try again later")
        elif generation_of(name) and not now.current:
            # It was left, and whoever names it means it: nobody comes here by the table's name.
            self.lift(now.index)
        else:
            raise _blocked(now)

    def end(self, stored: Stored, address: str) -> None:
        """Raises NotFoundError where others ended the hold."""
        # Nobody writes before the second call; after it, nobody would come to lift the block.
        self.lift(stored.index)
        self.exchange(stored, address, self.new_address(stored), self.no_sign(stored))

    def _heal(self, stored: Stored) -> None:
        with suppress(exceptions.NotFoundError):
            self.end(stored, stored.address)

    def _give_back(self, stored: Stored, address: str) -> None:
        try:
            with suppress(exceptions.NotFoundError):
                if self._client.indices.exists_alias(index=stored.index, name=address):
                    self.end(stored, address)
        except (exceptions.OpenSearchException, EngineError) as error:
            table = stored.spec.table
            _LOG.warning("table %s: writes are held back for another %.0f s: %s", table, LIFELESS_S, error)

    def _block(self, index: str) -> None:
        answer = self._client.indices.add_block(index=index, block="write")
        # An index that was blocked before is not among the indices of the answer.
        if not answer["acknowledged"] or (answer["indices"] and not answer["shards_acknowledged"]):
            raise Interrupted(f"holding writes back from {index}: some shards did not answer; try again")


def moving(index: str, old: str, new: str) -> Actions:
    """Actions that are refused, with all others of their call, where the index has not the old alias."""
    return [
        {"remove": {"index": index, "alias": old, "must_exist": True}},
        {"add": {"index": index, "alias": new}},
    ]


def _blocked(stored: Stored) -> EngineError:
    return EngineError(f"index {stored.index} takes no writes: somebody else set index.blocks.write; lift the block")


def _pause(deadline: float, message: str) -> None:
    if time.monotonic() > deadline:
        raise Busy(message)
    time.sleep(_PAUSE_S)
