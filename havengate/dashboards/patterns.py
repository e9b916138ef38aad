"""Index patterns: which fields an index has, how Dashboards shows them, what it hides. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from havengate.dashboards.objects import Json, SavedObject, text

_KINDS = {
    "date": "date",
    "keyword": "string",
    "text": "string",
    **dict.fromkeys(("byte", "short", "integer", "long", "unsigned_long", "float", "double"), "number"),
}
"""Types of OpenSearch -> those of Dashboards (src/plugins/data/common/osd_field_types)."""
_META_FIELDS: tuple[tuple[str, str, bool], ...] = (
    ("_id", "string", True),
    ("_index", "string", True),
    ("_score", "number", False),
    ("_source", "_source", False),
)


def index_pattern(
    title: str,
    fields: Iterable[Json],
    *,
    time_field: str | None = None,
    formats: Mapping[str, Json] | None = None,
    hidden: Iterable[str] = (),
) -> SavedObject:
    """Over the indexes that ``title`` names, which is its id, too, so that every export means the same one.

    ``formats`` are field formats by field, ``hidden`` patterns of fields that are not shown.
    """
    attributes: dict[str, object] = {"title": title, "fields": text([*fields, *_meta_fields()])}
    if time_field is not None:
        attributes["timeFieldName"] = time_field
    if formats:
        attributes["fieldFormatMap"] = text(formats)
    if filters := [{"value": pattern} for pattern in hidden]:
        attributes["sourceFilters"] = text(filters)
    return SavedObject("index-pattern", title, attributes)


def mapped_fields(properties: Mapping[str, Mapping[str, Any]]) -> list[Json]:
    """The fields of a mapping's ``properties`` that can be searched, shown or counted; objects are left out."""
    found = ((name, _resolved(mapping)) for name, mapping in properties.items())
    return [_mapped(name, mapping) for name, mapping in found if mapping["type"] in _KINDS]


def scripted_field(name: str, script: str) -> Json:
    """A text that Painless computes for each row that is shown."""
    return {
        "count": 0,
        "name": name,
        "type": "string",
        "script": script,
        "lang": "painless",
        "scripted": True,
        "searchable": True,
        "aggregatable": True,
        "readFromDocValues": False,
    }


def _resolved(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """An alias is searched as what it stands for: the words of a text."""
    return {"type": "text"} if mapping["type"] == "alias" else mapping


def _mapped(name: str, mapping: Mapping[str, Any]) -> Json:
    kind = mapping["type"]
    values = kind != "text" and mapping.get("doc_values", True)
    return _field(name, _KINDS[kind], [kind], searchable=mapping.get("index", True), aggregatable=values, values=values)


def _meta_fields() -> list[Json]:
    return [_field(name, kind, [name], searchable=able, aggregatable=able) for name, kind, able in _META_FIELDS]


def _field(
    name: str, kind: str, types: list[str], *, searchable: bool, aggregatable: bool, values: bool = False
) -> Json:
    return {
        "count": 0,
        "name": name,
        "type": kind,
        "esTypes": types,
        "scripted": False,
        "searchable": searchable,
        "aggregatable": aggregatable,
        "readFromDocValues": values,
    }
