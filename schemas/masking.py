"""A schema that came back masked gets its secrets again from the one that the table has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from havengate.errors import SchemaError
from schemas.vendor import MASK, is_secret, read_schema

if TYPE_CHECKING:
    from schemas.vendor import VendorSchema

_NAMES = ("field_name", "index_name")
"""What the parts of a list are known by, wherever they stand in it."""


def unmasked(new: VendorSchema, old: Mapping[str, object]) -> VendorSchema:
    """``new`` with every masked secret replaced by what ``old`` (the vendor's JSON) has in the same place.

    Raises SchemaError naming a masked secret that has none there.
    """
    return read_schema(json.dumps(_restored(new.to_json(), old, "schema")))


def _restored(new: Any, old: Any, where: str) -> Any:
    if isinstance(new, dict):
        before = old if isinstance(old, Mapping) else {}
        return {key: _value(key, item, before, f"{where}.{key}") for key, item in new.items()}
    if isinstance(new, list):
        return [_restored(item, _like(item, old, place), f"{where}[{place}]") for place, item in enumerate(new)]
    return new


def _value(key: str, item: Any, before: Mapping[str, Any], where: str) -> Any:
    if not (is_secret(key) and item == MASK):
        return _restored(item, before.get(key), where)
    if not before.get(key):
        raise SchemaError(f"{where.removeprefix('schema.')}: is masked, and the table's schema has no value there")
    return before[key]


def _like(item: Any, old: Any, place: int) -> Any:
    """The part of the old list that a part of the new one continues."""
    if not isinstance(old, list):
        return None
    names = [name for name in _NAMES if isinstance(item, dict) and name in item]
    if not names:
        return old[place] if place < len(old) else None
    return next((each for each in old if isinstance(each, dict) and each.get(names[0]) == item[names[0]]), None)
