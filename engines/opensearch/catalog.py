"""Tables of the cluster: an alias each, whose index carries the specification in its mapping's _meta."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opensearchpy import exceptions

from engines.checks import is_table_name, require_table_name
from engines.contract import at, generation_of, table_of
from engines.opensearch.checkup import blocks, faults, require_layout
from engines.opensearch.mapping import index_body, mappings, meta
from engines.opensearch.names import FIRST_GENERATION, Names
from engines.opensearch.stored import Stored
from havengate.errors import Busy, TableExists, UnfitTable, UnknownGeneration, UnknownTable

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from engines.contract import TableSpec
    from havengate.setting_groups import EngineSettings
    from schemas.settings import TableSettings

FRESH_S = 2.0
_DROP_S = 0.3
_SHOWN = 3


class Catalog:
    """Remembers names and specifications for two seconds: other gateways may change them.

    A specification is remembered with the address of its generation, which ends with every change of what it stands
    for: what was made for one schema never meets another, and who remembers too much is turned away and looks again.
    """

    def __init__(self, client: OpenSearch, settings: EngineSettings) -> None:
        self._client = client
        self._settings = settings
        self.all_names = Names(settings.index_prefix)
        self._known: dict[str, tuple[float, Stored]] = {}
        self._listed: tuple[float, list[str]] | None = None
        self._changes = 0

    def names(self) -> list[str]:
        listed = self._listed
        if listed is None or time.monotonic() - listed[0] > FRESH_S:
            changes = self._changes
            listed = (time.monotonic(), self._list())
            # What was read before a change of our own is not worth remembering after it.
            if changes == self._changes:
                self._listed = listed
        return list(listed[1])

    def _list(self) -> list[str]:
        try:
            # Who names no index asks for those of all indexes, which the cluster's security grants to few.
            every = self.all_names.every_alias
            found = self._client.indices.get_alias(index=every, name=every)
        except exceptions.NotFoundError:
            return []
        aliases = {alias for entry in found.values() for alias in entry["aliases"]}
        return sorted(name for alias in aliases if (name := self.all_names.table(alias)) is not None)

    def opened(self, name: str) -> Stored:
        """The generation that a name or an address means. Raises UnknownTable, UnknownGeneration."""
        read, stored = self._known.get(name, (0.0, None))
        if stored is None or time.monotonic() - read > FRESH_S:
            changes, asked = self._changes, time.monotonic()
            stored = self.read(name)
            if changes == self._changes:
                self._known[name] = (asked, stored)
        return stored

    def moved(self, name: str, opened: Stored) -> bool:
        """Whether the address is no longer the one that was opened. Raises UnknownTable, UnknownGeneration."""
        for pause in (0.0, _DROP_S):
            # Shards close a moment before the cluster says that their index is gone.
            time.sleep(pause)
            self.forget(name)
            if self.read(name).address != opened.address:
                return True
        return False

    def forget(self, name: str) -> None:
        """All that is remembered of a table, and of the one in an address."""
        table = table_of(name)
        self._changes += 1
        for known in list(self._known):
            if table_of(known) == table:
                self._known.pop(known, None)
        self._listed = None

    def create(self, spec: TableSpec) -> None:
        """Raises TableExists, SchemaError for a name that is no plain identifier."""
        require_table_name(spec.name)
        alias = self.all_names.alias(spec.name)
        if self._client.indices.exists_alias(index=self.all_names.every_alias, name=alias):
            raise TableExists(f"table {spec.name!r} exists")
        if not self.make_generation(spec, FIRST_GENERATION, alias):
            raise TableExists(f"table {spec.name!r} exists")

    def make_generation(self, spec: TableSpec, number: int, sign: str) -> bool:
        """False where there is one of that number. ``sign`` is the alias that says what it is for."""
        index = self.all_names.index(spec.table, number)
        own = self.all_names.new_address(spec.table, f"g{number}", uuid.uuid4().hex)
        try:
            return self._make_index(index, index_body(spec, (sign, own), self._settings), own)
        finally:
            self.forget(spec.table)

    def _make_index(self, index: str, body: Mapping[str, Any], own: str) -> bool:
        """``own`` is an alias in the body that no other request has."""
        try:
            self._client.indices.create(index=index, body=body)
        except exceptions.RequestError as error:
            if error.error != "resource_already_exists_exception":
                raise
            # A request whose answer was lost is sent again, and then meets its own index.
            return bool(self._client.indices.exists_alias(index=index, name=own))
        return True

    def drop(self, name: str) -> None:
        """Raises UnknownTable."""
        self._current(name)
        self.remove(name, (stored.index for stored in self.generations(name)))

    def remove(self, name: str, indexes: Iterable[str]) -> None:
        """These generations of a table, with what says which rows of them were deleted."""
        every = [each for index in indexes for each in (index, self.all_names.deletions(index))]
        try:
            # One that is gone already (another gateway's doing, or this request's, whose answer was lost) keeps none.
            self._client.indices.delete(index=",".join(every), params={"ignore_unavailable": "true"})
        finally:
            self.forget(name)

    def set_settings(self, name: str, settings: TableSettings) -> None:
        """Raises Busy while the table's writes are held back."""
        stored, set_at = self.read(name), ""
        while stored.address != set_at:
            if stored.held:
                raise Busy(f"table {stored.spec.table!r} is being changed; try again later")
            set_at = stored.address
            changed = meta(replace(stored.spec, settings=settings))
            self._client.indices.put_mapping(index=stored.index, body={"_meta": changed})
            # Another generation may have taken its place in between.
            stored = self.read(name)
        self.forget(name)

    def read(self, name: str) -> Stored:
        """The generation that a name or an address means, as it is now.

        Raises UnknownTable, UnknownGeneration, UnfitTable for an index that others changed.
        """
        return self._fit(*self._read(name))

    def current(self, name: str) -> Stored:
        """The current generation of a table as it is now, fit or not. Raises UnknownTable, also for an address."""
        return self._current(name)[0]

    def generation(self, table: str, generation: str, *, fit: bool = True) -> Stored:
        """One generation as it is now. Raises UnknownTable, UnknownGeneration, UnfitTable where it is to be ``fit``."""
        found = self._addressed(table, generation)
        return self._fit(*found) if fit else found[0]

    def _fit(self, stored: Stored, entry: Mapping[str, Any]) -> Stored:
        require_layout(stored.index, entry["mappings"]["_meta"])
        wrong = list(faults(entry, mappings(stored.spec, self._settings)))
        if wrong:
            raise UnfitTable(
                f"index {stored.index} is not as table {stored.spec.name!r} needs it: {'; '.join(wrong[:_SHOWN])}; "
                "drop the table and make it again"
            )
        return stored

    def _read(self, name: str) -> tuple[Stored, Mapping[str, Any]]:
        """The generation, and the index as the cluster describes it."""
        generation = generation_of(name)
        return self._current(name) if generation is None else self._addressed(table_of(name), generation)

    def _addressed(self, table: str, generation: str) -> tuple[Stored, Mapping[str, Any]]:
        found = self._all(table) if is_table_name(table) else []
        if not any(stored.current for stored, _ in found):
            self._current(table)
        for stored, entry in found:
            if stored.address and stored.generation == generation:
                return replace(stored, spec=replace(stored.spec, name=at(table, generation))), entry
        known = ", ".join(stored.generation for stored, _ in found if stored.address)
        raise UnknownGeneration(f"table {table!r} has no generation {generation!r}; there are: {known}")

    def _current(self, name: str) -> tuple[Stored, Mapping[str, Any]]:
        if not is_table_name(name):
            raise UnknownTable(f"no table {name!r}")
        alias = self.all_names.alias(name)
        try:
            found = self._get(alias)
        except exceptions.NotFoundError as error:
            raise UnknownTable(f"no table {name!r}") from error
        if len(found) > 1:
            raise UnfitTable(
                f"alias {alias} leads to several indexes: {', '.join(sorted(found))}; remove it from all but one"
            )
        ((index, entry),) = found.items()
        stored = Stored.read(self.all_names, name, index, entry)
        if stored is None or not stored.address:
            raise UnfitTable(
                f"index {index} was not made by havengate; remove its alias {alias}, or choose another "
                "HAVENGATE_ENGINE__INDEX_PREFIX"
            )
        return stored, entry

    def blocks(self, name: str) -> list[str]:
        """What keeps a table from being written or read, but for changes of our own."""
        stored, entry = self._current(name)
        return [] if stored.held else list(blocks(entry["settings"]))

    def generations(self, name: str) -> list[Stored]:
        """All of a table, the oldest first; those of no address, too."""
        return [stored for stored, _ in self._all(name)]

    def _all(self, table: str) -> list[tuple[Stored, Mapping[str, Any]]]:
        found = self._get(self.all_names.index(table, "*"))
        read = ((Stored.read(self.all_names, table, index, entry), entry) for index, entry in found.items())
        known = [(stored, entry) for stored, entry in read if stored is not None]
        return sorted(known, key=lambda each: each[0].number)

    def _get(self, index: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._client.indices.get(index=index, params={"flat_settings": "true"})
        return found
