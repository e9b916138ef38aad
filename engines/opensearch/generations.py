"""A table's generations: one is built beside the current one, and takes its place by one call for aliases.

Whatever dies on the way, the table's alias leads to one whole generation. One that is being built is left alone
through that, and a hold that nobody keeps up is ended by whoever comes next (holds.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from opensearchpy import exceptions

from engines.contract import Generation
from engines.opensearch.holds import moving
from engines.opensearch.refresh import show
from engines.opensearch.searches import total
from havengate.errors import Busy, EngineError, RequestError, UnknownTable

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from engines.contract import TableSpec
    from engines.opensearch.catalog import Catalog
    from engines.opensearch.holds import Holds
    from engines.opensearch.refresh import Late
    from engines.opensearch.searches import Searches
    from engines.opensearch.stored import Stored


class Generations:
    def __init__(
        self, client: OpenSearch, catalog: Catalog, holds: Holds, searches: Searches, *, late: Late, timeout_s: float
    ) -> None:
        self._client = client
        self._catalog = catalog
        self._names = catalog.all_names
        self._holds = holds
        self._searches = searches
        self._late = late
        self._timeout_s = timeout_s

    def listed(self, name: str) -> list[Generation]:
        """Raises UnknownTable."""
        self._catalog.current(name)
        return list(self._counted(self._catalog.generations(name)))

    def build(self, name: str, spec: TableSpec) -> str:
        """Raises Busy, UnknownTable."""
        self._holds.require_free(name)
        found = self._catalog.generations(name)
        if building := next((stored.generation for stored in found if stored.building and stored.address), None):
            raise Busy(f"generation {building!r} of table {name!r} is being built; use it or drop it first")
        if leftovers := [stored.index for stored in found if not stored.address]:
            self._catalog.remove(name, leftovers)
        number = 1 + max((stored.number for stored in found), default=0)
        spec = replace(spec, name=name)
        if not self._catalog.make_generation(spec, number, self._names.build_alias(name, uuid.uuid4().hex)):
            raise Busy(f"a generation of table {name!r} is being built; try again later")
        try:
            self._catalog.current(name)
        except UnknownTable:
            # Others dropped the table at the same time: a table that is made again must not find this.
            self._catalog.remove(name, [self._names.index(name, number)])
            raise
        return f"g{number}"

    def use(self, name: str, generation: str, last: Callable[[], None] | None) -> None:
        """Raises UnknownGeneration, Busy, UnknownTable."""
        self._holds.require_free(name)
        chosen, old = self._catalog.generation(name, generation), self._catalog.current(name)
        if chosen.current:
            return
        try:
            with self._holds.held(old) as held:
                with self._holds.beating(old, held):
                    if last is not None:
                        last()
                    self._ready(old, chosen)
                self._swap(old, held, chosen)
        except (exceptions.TransportError, EngineError) as error:
            # Either the swap came through or the end of the hold, whatever answers were lost.
            if self._catalog.current(name).index == chosen.index:
                return
            if isinstance(error, exceptions.NotFoundError):
                self._catalog.generation(name, generation)
                raise _ended(name) from error
            raise

    def hold(self, name: str, call: Callable[[], None]) -> None:
        """Raises Busy, also after the call where others ended the hold meanwhile; UnknownTable."""
        self._holds.require_free(name)
        current = self._catalog.current(name)
        try:
            with self._holds.held(current) as held:
                with self._holds.beating(current, held):
                    call()
                self._holds.end(current, held)
        except exceptions.NotFoundError as error:
            self._catalog.current(name)
            raise _ended(name) from error

    def drop(self, name: str, generation: str) -> None:
        """Raises UnknownGeneration, RequestError for the current one, Busy, UnknownTable."""
        self._holds.require_free(name)
        chosen = self._catalog.generation(name, generation, fit=False)
        if chosen.current:
            raise RequestError(f"generation {generation!r} of table {name!r} is in use; only others can be dropped")
        try:
            # Nobody can make it the current one after this.
            self._holds.exchange(chosen, chosen.address, self._holds.new_address(chosen), [])
        except exceptions.NotFoundError as error:
            raise Busy(f"generation {generation!r} of table {name!r} is being changed; try again later") from error
        self._catalog.remove(name, [chosen.index])

    def _counted(self, found: Iterable[Stored]) -> Iterator[Generation]:
        for stored in found:
            # One may be dropped meanwhile.
            with suppress(exceptions.NotFoundError):
                if stored.address:
                    self._late.now(stored.index)
                    rows = total(self._searches.one(stored.index, {"size": 0, "track_total_hits": True}))
                    yield Generation(stored.generation, rows, stored.current, stored.building)

    def _ready(self, old: Stored, chosen: Stored) -> None:
        """Rows that were written to be shown later are shown: their timers know the table's current generation."""
        for stored in (old, chosen):
            show(self._client, stored.index, self._timeout_s)
        if not chosen.building:
            self._holds.lift(chosen.index)

    def _swap(self, old: Stored, held: str, chosen: Stored) -> None:
        """Both get addresses that nobody knows yet, so that nothing that was meant for another state arrives."""
        table = self._names.alias(old.spec.table)
        new = self._holds.new_address(chosen)
        finished = {"remove": {"index": chosen.index, "alias": self._names.builds(old.spec.table)}}
        self._holds.exchange(
            old,
            held,
            self._holds.new_address(old),
            [
                *self._holds.no_sign(old),
                {"remove": {"index": old.index, "alias": table, "must_exist": True}},
                {"add": {"index": chosen.index, "alias": table}},
                *moving(chosen.index, chosen.address, new),
                *([finished] if chosen.building else []),
            ],
        )


def _ended(name: str) -> Busy:
    return Busy(f"the hold on table {name!r} gave no sign of life, and others ended it; try again")
