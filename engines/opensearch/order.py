"""Sort keys -> the sort of a search, missing values last. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engines.checks import single_spec_of
from engines.opensearch import scripts
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Field
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
    if not isinstance(key.by, Field):
        raise RequestError("rows are sorted by fields only", code=HaCode.SORT_NO_DESCRIPTION, span=key.span)
    field = f"fields.{key.by.name}"
    if single_spec_of(key.by, schema).type in _SENTINELS:
        # Lucene sorts a missing number as the type's first or last, which a row may hold.
        script = {"lang": "painless", "source": scripts.MISSING, "params": {"field": field}}
        yield {"_script": {"type": "number", "order": "asc", "script": script}}
    yield {field: {"order": "desc" if key.descending else "asc", "missing": "_last"}}
