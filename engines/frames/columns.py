"""Attribute values as polars columns: one typed column per field, and one of words beside a TEXT field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from engines.frames.words import padded
from havengate.types import FIELDS, Value
from schemas.table import FieldSpec, FieldType, TableSchema

DTYPES: Mapping[FieldType, pl.DataType] = {
    FieldType.INT8: pl.Int8(),
    FieldType.INT16: pl.Int16(),
    FieldType.INT32: pl.Int32(),
    FieldType.INT64: pl.Int64(),
    FieldType.UINT8: pl.UInt8(),
    FieldType.UINT16: pl.UInt16(),
    FieldType.UINT32: pl.UInt32(),
    FieldType.UINT64: pl.UInt64(),
    FieldType.FLOAT: pl.Float32(),
    FieldType.DOUBLE: pl.Float64(),
    FieldType.STRING: pl.String(),
    FieldType.TEXT: pl.String(),
}
MAP_ENTRY = pl.Struct(
    {"key": pl.String, "text": pl.String, "integer": pl.Int128, "real": pl.Float64, "listed": pl.Boolean}
)
"""One value of one key; ``listed`` where it is of a list.

Integers have a column of their own because a double would round them.
"""
WORDS = "#words:"
"""Begins the name of the column of a TEXT field's words (engines/frames/words.py)."""


def dtype(spec: FieldSpec) -> pl.DataType:
    if spec.type is FieldType.MAP:
        return pl.List(MAP_ENTRY)
    return pl.List(DTYPES[spec.type]) if spec.multi_value else DTYPES[spec.type]


def frame(schema: TableSchema, rows: Sequence[Mapping[str, Value]]) -> pl.DataFrame:
    """All attribute columns of the rows, a missing field null, and FIELDS: all fields as JSON text."""
    stored = pl.Series(FIELDS, [fields_text(row) for row in rows], dtype=pl.String)
    return pl.DataFrame([stored, *columns(schema, schema.attribute_fields, rows)])


def columns(schema: TableSchema, names: Iterable[str], rows: Sequence[Mapping[str, Value]]) -> Iterator[pl.Series]:
    """The columns that ``column_names`` names, of these rows."""
    for name in names:
        spec = schema.fields[name]
        yield column(spec, rows)
        if spec.type is FieldType.TEXT:
            texts = [row.get(name) for row in rows]
            words = [None if text is None else padded(text) for text in texts]  # type: ignore[arg-type]
            yield pl.Series(WORDS + name, words, dtype=pl.String)


def column_names(schema: TableSchema, names: Iterable[str]) -> Iterator[str]:
    """The frame's columns of the fields asked for: a TEXT field brings its words along."""
    for name in names:
        yield name
        if schema.fields[name].type is FieldType.TEXT:
            yield WORDS + name


def short_floats(values: pl.DataFrame) -> pl.DataFrame:
    """For answers: a FLOAT as the shortest number that reads back as it, 0.1 instead of 0.10000000149011612."""
    return values.with_columns(pl.col(pl.Float32).cast(pl.String).cast(pl.Float64))


def fields_text(fields: Mapping[str, Value]) -> str:
    return json.dumps(dict(fields), ensure_ascii=False, allow_nan=False)


def column(spec: FieldSpec, rows: Sequence[Mapping[str, Any]]) -> pl.Series:
    """One field of the rows; a missing value is null."""
    values = [row.get(spec.name) for row in rows]
    if spec.type is FieldType.MAP:
        values = [None if value is None else list(_entries(value)) for value in values]
    return pl.Series(spec.name, values, dtype=dtype(spec), strict=True)


def _entries(value: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key, held in value.items():
        listed = isinstance(held, list)
        for item in held if listed else (held,):
            yield {
                "key": key,
                "text": item if isinstance(item, str) else None,
                "integer": item if isinstance(item, int) else None,
                "real": item if isinstance(item, float) else None,
                "listed": listed,
            }
