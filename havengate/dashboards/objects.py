"""Saved objects of OpenSearch Dashboards in the form of its own export: one JSON object a line. Pure.

Sources: src/plugins/{data,discover,visualizations,dashboard}/server/saved_objects and
src/core/server/saved_objects/export of opensearch-project/OpenSearch-Dashboards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["index-pattern", "search", "visualization", "dashboard"]

MIGRATIONS: Mapping[Kind, str] = {
    "index-pattern": "7.6.0",
    "search": "7.9.3",
    "visualization": "7.10.0",
    "dashboard": "7.9.3",
}
"""The last migration of each type, in 2.19 and in 3.x alike: an import refuses a newer one, and changes older ones."""
_INDEX = "kibanaSavedObjectMeta.searchSourceJSON.index"


@dataclass(frozen=True, slots=True)
class Reference:
    """``name`` is what the attributes call the object that is meant."""

    name: str
    kind: Kind
    id: str


@dataclass(frozen=True, slots=True)
class SavedObject:
    kind: Kind
    id: str
    attributes: Mapping[str, object]
    references: tuple[Reference, ...] = field(default=())

    def to_json(self) -> Json:
        """Without ``version`` and ``updated_at``: the server that imports it gives those."""
        return {
            "attributes": dict(self.attributes),
            "id": self.id,
            "migrationVersion": {self.kind: MIGRATIONS[self.kind]},
            "references": [{"id": each.id, "name": each.name, "type": each.kind} for each in self.references],
            "type": self.kind,
        }


def ndjson(objects: Sequence[SavedObject]) -> str:
    """The export's lines; the last one says how many objects there are, and that nothing they mean is missing."""
    details = {"exportedCount": len(objects), "missingRefCount": 0, "missingReferences": []}
    return "".join(f"{text(line)}\n" for line in (*(each.to_json() for each in objects), details))


def text(value: object) -> str:
    """JSON as it stands inside an attribute."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def search_source(query: str = "", *, indexed: bool = True) -> Json:
    """The attribute kibanaSavedObjectMeta: ``query`` in Lucene's syntax, over what ``of_index`` names if ``indexed``.

    No query is one in Dashboards' own language, which people go on typing in.
    """
    source: Json = {"query": {"query": query, "language": "lucene" if query else "kuery"}, "filter": []}
    return {"searchSourceJSON": text(source | ({"indexRefName": _INDEX} if indexed else {}))}


def of_index(pattern: SavedObject) -> tuple[Reference, ...]:
    return (Reference(_INDEX, "index-pattern", pattern.id),)
