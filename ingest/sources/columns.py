"""Columns of a table elsewhere (CSV, Parquet, MaxCompute) as fields of a push."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal

from havengate.errors import DocumentError, RequestError, excerpt
from schemas.table import FieldType, TableSchema


def check_columns(source: str, columns: Sequence[str], schema: TableSchema) -> None:
    """Raises RequestError for columns that are no fields, that come twice, or without the key among them."""
    unknown = [repr(name) for name in columns if name not in schema.fields]
    if unknown:
        known = ", ".join(schema.fields)
        raise RequestError(f"{source}: the table has no field {', '.join(unknown)}; its fields are: {known}")
    twice = sorted({repr(name) for name in columns if columns.count(name) > 1})
    if twice:
        raise RequestError(f"{source}: more than one column {', '.join(twice)}")
    if schema.primary_key not in columns:
        raise RequestError(f"{source}: no column {schema.primary_key!r}, which is the table's key")


def check_types(source: str, unfit: Mapping[str, str]) -> None:
    """Raises RequestError naming columns whose types no field takes, with the types."""
    if unfit:
        named = ", ".join(f"{name} ({kind})" for name, kind in unfit.items())
        raise RequestError(f"{source}: no field takes columns of these types, cast them first: {named}")


def field_value(schema: TableSchema, name: str, value: object) -> object:
    """One cell as a push would bring it: havengate.values reads the rest.

    A text for a field of many values (or a vector) may be a JSON list, for a MAP it is a JSON object. Bytes become
    Base64, points in time ISO 8601 text, decimals their digits. Raises DocumentError naming the field.
    """
    if isinstance(value, str):
        return _from_text(schema, name, value)
    return [_plain(item) for item in value] if isinstance(value, list) else _plain(value)


def _plain(value: object) -> object:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.isoformat(" ")
        case date() | time():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case _:
            return value


def _from_text(schema: TableSchema, name: str, text: str) -> object:
    spec = schema.fields[name]
    if spec.type is FieldType.MAP:
        return _json(name, text, dict)
    if (spec.multi_value or name in schema.vector_fields) and text.lstrip().startswith("["):
        return _json(name, text, list)
    return text


def _json(name: str, text: str, kind: type) -> object:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, kind):
        wanted = "object" if kind is dict else "list"
        raise DocumentError(f"field {name!r}: {excerpt(repr(text))} is no JSON {wanted}")
    return value
