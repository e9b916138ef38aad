"""Tables of the cluster: an alias each, whose index carries the specification in its mapping's _meta."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opensearchpy import exceptions

from engines.checks import is_table_name, require_table_name
from engines.codec import decode_spec
from engines.opensearch.mapping import META, index_body, meta
from engines.opensearch.names import Names
from havengate.errors import EngineError, TableExists, UnknownTable

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from engines.contract import TableSpec
    from havengate.settings import EngineSettings
    from schemas.settings import TableSettings

_FRESH_S = 2.0
_DROP_S = 0.3


class Catalog:
    """Remembers names and specifications for two seconds: other gateways may change them."""

    def __init__(self, client: OpenSearch, settings: EngineSettings) -> None:
        self._client = client
        self._settings = settings
        self._names = Names(settings.index_prefix)
        self._known: dict[str, tuple[float, TableSpec]] = {}
        self._listed: tuple[float, list[str]] | None = None
        self._changes = 0

    def alias(self, table: str) -> str:
        return self._names.alias(table)

    def names(self) -> list[str]:
        listed = self._listed
        if listed is None or time.monotonic() - listed[0] > _FRESH_S:
            changes = self._changes
            listed = (time.monotonic(), self._list())
            # What was read before a change of our own is not worth remembering after it.
            if changes == self._changes:
                self._listed = listed
        return list(listed[1])

    def _list(self) -> list[str]:
        try:
            found = self._client.indices.get_alias(name=self._names.every_alias)
        except exceptions.NotFoundError:
            return []
        aliases = {alias for entry in found.values() for alias in entry["aliases"]}
        return sorted(name for alias in aliases if (name := self._names.table(alias)) is not None)

    def spec(self, name: str) -> TableSpec:
        """Raises UnknownTable."""
        read, spec = self._known.get(name, (0.0, None))
        if spec is None or time.monotonic() - read > _FRESH_S:
            changes = self._changes
            _, spec = self._read(name)
            if changes == self._changes:
                self._known[name] = (time.monotonic(), spec)
        return spec

    def require_still(self, name: str) -> None:
        """Raises UnknownTable where a table was dropped meanwhile: its calls fail in many ways."""
        for pause in (0.0, _DROP_S):
            # Shards close a moment before the cluster says that their index is gone.
            time.sleep(pause)
            self._forget(name)
            self._read(name)

    def _forget(self, name: str) -> None:
        self._changes += 1
        self._known.pop(name, None)
        self._listed = None

    def create(self, spec: TableSpec) -> None:
        """Raises TableExists, SchemaError for a name that is no plain identifier."""
        require_table_name(spec.name)
        alias = self.alias(spec.name)
        if self._client.indices.exists_alias(name=alias):
            raise TableExists(f"table {spec.name!r} exists")
        body = index_body(spec, alias, self._settings)
        try:
            self._client.indices.create(index=self._names.index(spec.name), body=body)
        except exceptions.RequestError as error:
            if error.error == "resource_already_exists_exception":
                raise TableExists(f"table {spec.name!r} exists") from error
            raise
        finally:
            self._forget(spec.name)

    def drop(self, name: str) -> None:
        indexes, _ = self._read(name)
        try:
            self._client.indices.delete(index=",".join(indexes))
        finally:
            self._forget(name)

    def set_settings(self, name: str, settings: TableSettings) -> None:
        indexes, spec = self._read(name)
        changed = replace(spec, settings=settings)
        self._client.indices.put_mapping(index=",".join(indexes), body={"_meta": meta(changed)})
        self._forget(name)

    def _read(self, name: str) -> tuple[list[str], TableSpec]:
        """The indexes behind the alias, and the specification that the first carries."""
        if not is_table_name(name):
            raise UnknownTable(f"no table {name!r}")
        alias = self.alias(name)
        try:
            found: Mapping[str, Any] = self._client.indices.get(index=alias, params={"flat_settings": "true"})
        except exceptions.NotFoundError as error:
            raise UnknownTable(f"no table {name!r}") from error
        index = min(found)
        text = found[index]["mappings"].get("_meta", {}).get(META)
        if text is None or index == alias:
            raise EngineError(f"index {index} was not made by havengate; choose another HAVENGATE_ENGINE__INDEX_PREFIX")
        return sorted(found), decode_spec(text, f"_meta of index {index}")
