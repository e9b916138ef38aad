"""Tables of the cluster: an alias each, whose index carries the specification in its mapping's _meta."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opensearchpy import exceptions

from engines.checks import is_table_name, require_table_name
from engines.opensearch.checkup import blocks, faults
from engines.opensearch.mapping import index_body, mappings, meta
from engines.opensearch.names import Names
from engines.opensearch.stored import Stored
from havengate.errors import Busy, TableExists, UnfitTable, UnknownTable

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from engines.contract import TableSpec
    from havengate.settings import EngineSettings
    from schemas.settings import TableSettings

FRESH_S = 2.0
_DROP_S = 0.3
_SHOWN = 3


class Catalog:
    """Remembers names and specifications for two seconds: other gateways may change them.

    A specification is remembered with its generation, and calls address that: what was written for one schema never
    meets another.
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
            found = self._client.indices.get_alias(name=self.all_names.every_alias)
        except exceptions.NotFoundError:
            return []
        aliases = {alias for entry in found.values() for alias in entry["aliases"]}
        return sorted(name for alias in aliases if (name := self.all_names.table(alias)) is not None)

    def opened(self, name: str) -> Stored:
        """The current generation. Raises UnknownTable."""
        read, stored = self._known.get(name, (0.0, None))
        if stored is None or time.monotonic() - read > FRESH_S:
            changes, asked = self._changes, time.monotonic()
            stored = self.read(name)
            if changes == self._changes:
                self._known[name] = (asked, stored)
        return stored

    def moved(self, name: str, opened: Stored) -> bool:
        """Whether another generation or table took this one's place. Raises UnknownTable where it was dropped."""
        for pause in (0.0, _DROP_S):
            # Shards close a moment before the cluster says that their index is gone.
            time.sleep(pause)
            self.forget(name)
            if self.read(name).address != opened.address:
                return True
        return False

    def forget(self, name: str) -> None:
        self._changes += 1
        self._known.pop(name, None)
        self._listed = None

    def create(self, spec: TableSpec) -> None:
        """Raises TableExists, SchemaError for a name that is no plain identifier."""
        require_table_name(spec.name)
        alias = self.all_names.alias(spec.name)
        if self._client.indices.exists_alias(name=alias):
            raise TableExists(f"table {spec.name!r} exists")
        index, own = self.all_names.index(spec.name), self.all_names.first_alias(spec.name, uuid.uuid4().hex)
        body = index_body(spec, alias, self._settings)
        body["aliases"][own] = {}
        try:
            if not self.make_index(index, body, own):
                raise TableExists(f"table {spec.name!r} exists")
        finally:
            self.forget(spec.name)

    def make_index(self, index: str, body: Mapping[str, Any], own: str) -> bool:
        """False where the index was there. ``own`` is an alias in the body that no other request has."""
        try:
            self._client.indices.create(index=index, body=body)
        except exceptions.RequestError as error:
            if error.error != "resource_already_exists_exception":
                raise
            # A request whose answer was lost is sent again, and then meets its own index.
            return bool(self._client.indices.exists_alias(index=index, name=own))
        return True

    def drop(self, name: str) -> None:
        self._read(name)
        try:
            indexes = ",".join(stored.index for stored in self.generations(name))
            # One that is gone already (another gateway's doing, or this request's, whose answer was lost) keeps none.
            self._client.indices.delete(index=indexes, params={"ignore_unavailable": "true"})
        finally:
            self.forget(name)

    def set_settings(self, name: str, settings: TableSettings) -> None:
        """Raises Busy while the table is being changed."""
        stored = self.read(name)
        if stored.held:
            raise Busy(f"table {name!r} is being changed; try again later")
        changed = replace(stored.spec, settings=settings)
        self._client.indices.put_mapping(index=stored.index, body={"_meta": meta(changed)})
        self.forget(name)

    def read(self, name: str) -> Stored:
        """The current generation as it is now. Raises UnknownTable, UnfitTable for an index that others changed."""
        stored, entry = self._read(name)
        wrong = list(faults(entry, mappings(stored.spec, self._settings)))
        if wrong:
            raise UnfitTable(
                f"index {stored.index} is not as table {name!r} needs it: {'; '.join(wrong[:_SHOWN])}; "
                "drop the table and make it again"
            )
        return stored

    def _read(self, name: str) -> tuple[Stored, Mapping[str, Any]]:
        """The current generation, and the index as the cluster describes it."""
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
        if stored is None or not stored.finished:
            raise UnfitTable(
                f"index {index} was not made by havengate; remove its alias {alias}, or choose another "
                "HAVENGATE_ENGINE__INDEX_PREFIX"
            )
        return stored, entry

    def blocks(self, name: str) -> list[str]:
        """What keeps a table from being written or read, but for changes of our own."""
        stored, entry = self._read(name)
        return [] if stored.held else list(blocks(entry["settings"]))

    def generations(self, name: str) -> list[Stored]:
        """All indexes of a table, finished or not, the oldest first."""
        found = self._get(self.all_names.index(name, "*"))
        read = (Stored.read(self.all_names, name, index, entry) for index, entry in found.items())
        return sorted((stored for stored in read if stored is not None), key=lambda stored: stored.number)

    def _get(self, index: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._client.indices.get(index=index, params={"flat_settings": "true"})
        return found
