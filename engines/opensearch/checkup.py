"""What is wrong with a table's index as the cluster describes it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engines.opensearch.mapping import LAYOUT, LAYOUT_META
from havengate.errors import UnfitTable

_BLOCKS = {
    "index.blocks.read_only_allow_delete": "a node's disk is nearly full; free some space or add a node",
    "index.blocks.write": "somebody set it; lift it",
    "index.blocks.read_only": "somebody set it; lift it",
    "index.blocks.read": "somebody set it; lift it",
}
_NO_EXACT = "index.knn.faiss.efficient_filter.disable_exact_search"
"""From 3.5 on: a filter that few rows pass would no longer be searched exactly."""
_COMPARED = ("type", "dimension", "analyzer", "index", "doc_values", "enabled", "path")
_ASSUMED = {"type": "object", "index": True, "doc_values": True, "enabled": True}


def blocks(settings: Mapping[str, str]) -> Iterator[str]:
    """Of an index's flat settings."""
    for name, advice in _BLOCKS.items():
        if settings.get(name) == "true":
            yield f"{name} is set: {advice}"


def require_layout(index: str, meta: Mapping[str, Any]) -> None:
    """Raises UnfitTable for documents that another version of havengate wrote in another layout."""
    layout = meta.get(LAYOUT_META, 1)
    if layout == LAYOUT:
        return
    if layout in range(LAYOUT):
        raise UnfitTable(
            f"index {index} was made by an older version, whose documents this one does not read: back the table up "
            "with that version (`havengate table backup`), drop it, and restore it with this one (docs/upgrading.md)"
        )
    raise UnfitTable(f"index {index} has documents of layout {layout}; use a newer version of havengate")


def faults(entry: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    """Of an index (its mappings and flat settings) that should have the ``expected`` mappings."""
    told = entry["mappings"]
    if str(told.get("dynamic")) != str(expected["dynamic"]):
        yield f"dynamic is {told.get('dynamic', 'true')} instead of {expected['dynamic']}"
    yield from _differences("", expected["properties"], told.get("properties", {}))
    if entry["settings"].get("index.knn") != "true":
        yield "index.knn is not true"
    if entry["settings"].get(_NO_EXACT) == "true":
        yield f"{_NO_EXACT} is true: set it to false"


def _differences(path: str, expected: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[str]:
    for name, wanted in expected.items():
        place, found = f"{path}{name}", told.get(name)
        if found is None:
            # OpenSearch does not show an object without fields.
            if wanted.get("properties") != {}:
                yield f"{place} is missing"
            continue
        for key in _COMPARED:
            given, right = (part.get(key, _ASSUMED.get(key)) for part in (found, wanted))
            if given != right:
                yield f"{place} has {key} {given} instead of {right}"
        space, right = (part.get("method", {}).get("space_type") for part in (found, wanted))
        if space != right:
            yield f"{place} has space_type {space} instead of {right}"
        yield from _differences(f"{place}.", wanted.get("properties", {}), found.get("properties", {}))
