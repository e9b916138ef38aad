"""A table's generations: the next one is built beside the current one and takes its place by one call for aliases.

Whatever dies on the way, the aliases still lead to one whole generation: an index without a generation's alias is a
leftover, which the next change removes.
"""

from __future__ import annotations

import logging
import time
import uuid
from typing import TYPE_CHECKING, Any

from opensearchpy import exceptions

from engines.contract import Generation
from engines.opensearch.catalog import FRESH_S
from engines.opensearch.mapping import index_body
from engines.opensearch.refresh import show
from engines.opensearch.stored import LIFELESS_S, Stored, beating
from havengate.errors import Busy, EngineError, RequestError, UnknownGeneration, UnknownTable

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from engines.contract import Progress, TableSpec
    from engines.opensearch.catalog import Catalog
    from engines.opensearch.copying import Copying
    from engines.opensearch.holds import Holds
    from havengate.settings import EngineSettings

_LOG = logging.getLogger(__name__)
_BEAT_S = LIFELESS_S / 6
_SETTLE_S = FRESH_S + 0.2


class Generations:
    def __init__(
        self,
        client: OpenSearch,
        catalog: Catalog,
        holds: Holds,
        copying: Copying,
        settings: EngineSettings,
    ) -> None:
        self._client = client
        self._catalog = catalog
        self._names = catalog.all_names
        self._holds = holds
        self._copying = copying
        self._settings = settings

    def listed(self, name: str) -> list[Generation]:
        """Raises UnknownTable."""
        self._catalog.read(name)
        finished = (stored for stored in self._catalog.generations(name) if stored.finished)
        return [
            Generation(stored.generation, self._copying.count(stored.address), stored.current) for stored in finished
        ]

    def change(self, name: str, spec: TableSpec, progress: Progress) -> Generation:
        """Raises Busy, UnknownTable."""
        self._holds.require_free(name)
        old = self._catalog.read(name)
        number = 1 + max(stored.number for stored in self._catalog.generations(name))
        index, building = self._names.index(name, number), self._names.build_alias(name, uuid.uuid4().hex)
        generation = f"g{number}"
        self._create(index, building, spec)
        try:
            self._holds.hold(name, old)
            rows = self._copy(old, building, spec, progress)
            self._take_over(
                name,
                old,
                index,
                spec,
                {"remove": {"index": index, "alias": building, "must_exist": True}},
                {"add": {"index": index, "alias": self._names.generation_alias(name, generation)}},
            )
        except BaseException as error:
            self._abandon(name, old, error, index, building)
            raise
        self._settle(name)
        return Generation(generation, rows, current=True)

    def use(self, name: str, generation: str) -> None:
        """Raises UnknownGeneration, Busy, UnknownTable."""
        self._holds.require_free(name)
        old, chosen = self._catalog.read(name), self._kept(name, generation)
        if chosen.current:
            return
        try:
            self._holds.hold(name, old)
            self._take_over(name, old, chosen.index, chosen.spec)
        except BaseException as error:
            self._abandon(name, old, error)
            raise
        self._settle(name)

    def drop(self, name: str, generation: str) -> None:
        """Raises UnknownGeneration, RequestError for the current one."""
        self._holds.require_free(name)
        chosen = self._kept(name, generation)
        if chosen.current:
            raise RequestError(f"generation {generation!r} of table {name!r} is in use; only others can be dropped")
        self._holds.remove(chosen.index)

    def _kept(self, name: str, generation: str) -> Stored:
        found = {stored.generation: stored for stored in self._catalog.generations(name) if stored.finished}
        if generation not in found:
            known = ", ".join(found)
            raise UnknownGeneration(f"table {name!r} has no generation {generation!r}; there are: {known}")
        return found[generation]

    def _create(self, index: str, building: str, spec: TableSpec) -> None:
        body = index_body(spec, building, self._settings)
        body["mappings"]["_meta"] = beating(spec)
        if not self._catalog.make_index(index, body, building):
            raise Busy(f"table {spec.name!r} is being changed; try again later")

    def _copy(self, old: Stored, building: str, spec: TableSpec, progress: Progress) -> int:
        show(self._client, old.index, self._settings.timeout_s)
        before = self._written(old.index)
        beaten = time.monotonic()

        def alive() -> None:
            nonlocal beaten
            if time.monotonic() - beaten > _BEAT_S:
                beaten = time.monotonic()
                self._holds.beat(building, spec)

        rows = self._copying.run((old.address, old.spec.schema), (building, spec.schema), progress, alive)
        show(self._client, building, self._settings.timeout_s)
        if self._written(old.index) != before:
            raise Busy(f"rows of table {spec.name!r} were written while it was changed; try again")
        if not rows == self._copying.count(building) == self._copying.count(old.address):
            raise EngineError(
                f"{self._copying.count(building)} rows came of {self._copying.count(old.address)}; nothing was changed"
            )
        return rows

    def _take_over(self, name: str, old: Stored, index: str, spec: TableSpec, *also: dict[str, Any]) -> None:
        """One call for all aliases, refused as a whole where somebody else ended the hold or the build."""
        self._holds.beat(index, spec)
        # Writes wait until every gateway has seen the swap: what they acknowledge must be found by all.
        self._holds.block(index)
        alias, held = self._names.alias(name), self._names.held_alias(name)
        actions: list[dict[str, Any]] = [
            *({"remove": {"index": old.index, "alias": each, "must_exist": True}} for each in (alias, held)),
            *({"add": {"index": index, "alias": each}} for each in (alias, held)),
            *also,
        ]
        try:
            self._client.indices.update_aliases(body={"actions": actions})
        except exceptions.TransportError:
            # The answer may be lost, and the call done.
            if self._catalog.read(name).index != index:
                raise
        finally:
            self._catalog.forget(name)

    def _settle(self, name: str) -> None:
        """The change is done by now: what fails here is no failure of it."""
        time.sleep(_SETTLE_S)
        try:
            self._holds.release(name, self._catalog.read(name))
        except (exceptions.OpenSearchException, EngineError) as error:
            _LOG.warning("table %s: writes are held back for another %.0f s: %s", name, LIFELESS_S, error)

    def _abandon(self, name: str, old: Stored, error: BaseException, index: str = "", building: str = "") -> None:
        """Raises what says more than ``error`` where others dropped the table or ended the change."""
        ours = not building or self._client.indices.exists_alias(index=index, name=building)
        if building and ours:
            self._holds.remove(index)
        current = self._catalog.read(name)
        # A hold that others ended may be theirs by now.
        if ours and current.index == old.index:
            self._holds.release(name, old)
        if isinstance(error, exceptions.NotFoundError | UnknownTable):
            raise Busy(f"changing table {name!r} gave no sign of life, and others ended it; try again") from error

    def _written(self, index: str) -> dict[str, int]:
        """Number of the last operation of each shard: the same twice means that nothing was written between."""
        told = self._client.indices.stats(index=index, metric="indexing", params={"level": "shards"})
        shards = told["indices"][index]["shards"]
        # A copy that is being made has no number yet.
        return {
            number: max((copy["seq_no"]["max_seq_no"] for copy in copies if "seq_no" in copy), default=-1)
            for number, copies in shards.items()
        }
