"""Sort keys -> the sort of a search, missing values last. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engines.checks import sort_field
from engines.opensearch import scripts
from engines.opensearch.mapping import stored_path
from schemas.table import FieldType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from havengate.types import SortKey
    from schemas.table import TableSchema

_SENTINELS = frozenset({FieldType.INT32, FieldType.INT64, FieldType.UINT64})


def order(schema: TableSchema, keys: Iterable[SortKey]) -> list[dict[str, Any]]:
    """Raises RequestError for what is no field of one value."""
    return [part for key in keys for part in _parts(schema, key)]


def _parts(schema: TableSchema, key: SortKey) -> Iterator[dict[str, Any]]:
    spec = sort_field(key, schema)
    field = stored_path(spec)
    if spec.type in _SENTINELS:
        # Lucene sorts a missing number as the type's first or last, which a row may hold.
        script = {"lang": "painless", "source": scripts.MISSING, "params": {"field": field}}
        yield {"_script": {"type": "number", "order": "asc", "script": script}}
    yield {field: {"order": "desc" if key.descending else "asc", "missing": "_last"}}
