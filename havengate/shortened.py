"""JSON for people and logs: what a client sent to be searched by is named, not repeated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

_SHOWN = 4
_LONGEST = 100


def shortened(value: Any, whole: Collection[str] = ()) -> Any:
    """Long lists and texts cut: a vector is nothing to read. What stands under a key of ``whole`` stays."""
    if isinstance(value, Mapping):
        return {key: item if key in whole else shortened(item, whole) for key, item in value.items()}
    if isinstance(value, list):
        more = [] if len(value) <= _LONGEST else [f"\N{HORIZONTAL ELLIPSIS} {len(value)} in all"]
        return [shortened(item, whole) for item in (value[:_SHOWN] if more else value)] + more
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"\N{HORIZONTAL ELLIPSIS} {len(value)} characters"
    return value
