"""Rows are judged before they are written: the last guard, whoever the caller is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Row
from schemas.table import FieldSpec, FieldType, TableSchema

if TYPE_CHECKING:
    from havengate.types import Vector

MAP_INTEGERS = (FieldType.INT64.bounds[0], FieldType.UINT64.bounds[1])
"""Smallest and largest integer that a MAP holds."""


def check_row(schema: TableSchema, row: Row, *, whole: bool) -> None:
    """Raises RequestError naming the row and field. ``whole``: the key must stand among the fields."""
    where = f"row {row.pk!r}"
    check_text(row.pk, where)
    key = row.fields.get(schema.primary_key, None if whole else key_value(schema, row.pk))
    if key is None or str(key) != row.pk:
        raise _wrong(f"{where}: its field {schema.primary_key!r} holds {key!r} instead of the key")
    attributes = schema.attribute_fields
    for name, value in row.fields.items():
        if name not in attributes:
            raise RequestError(f"{where}: no attribute field {name!r}", code=HaCode.ATTRIBUTE_NOT_EXIST)
        _check_value(attributes[name], value, f"{where}, field {name!r}")
    check_vectors(schema, row.vectors, where)
    strays = row.sources.keys() - row.vectors.keys()
    if strays:
        raise _wrong(f"{where}: a source without its vector: {', '.join(sorted(strays))}")


def check_vectors(schema: TableSchema, vectors: Mapping[str, Vector], where: str) -> None:
    """Raises RequestError for a vector of an unknown field, of another dimension, or with NaN or infinity."""
    require_vector_fields(schema, vectors)
    for name, vector in vectors.items():
        index = schema.vector_fields[name]
        if vector.shape != (index.dimension,):
            raise _wrong(f"{where}, field {name!r}: shape {vector.shape} instead of ({index.dimension},)")
        if vector.dtype != np.float32:
            raise _wrong(f"{where}, field {name!r}: {vector.dtype} instead of float32")
        if not np.isfinite(vector).all():
            raise _wrong(f"{where}, field {name!r}: NaN or infinity")


def require_vector_fields(schema: TableSchema, names: Iterable[str]) -> None:
    """Raises RequestError naming the first field that is no vector field, and those that are."""
    for name in names:
        if name not in schema.vector_fields:
            known = ", ".join(schema.vector_fields) or "none"
            raise RequestError(f"no vector field {name!r}; there are: {known}", code=HaCode.ATTRIBUTE_NOT_EXIST)


def key_value(schema: TableSchema, pk: str) -> str | int | None:
    """The key in its own type; None where the text is no canonical key of the table."""
    if not schema.key_type.is_integer:
        return pk
    low, high = schema.key_type.bounds
    try:
        key = int(pk)
    except ValueError:
        return None
    return key if str(key) == pk and low <= key <= high else None


def check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _wrong(f"{where}: half of a surrogate pair") from error


def merge_rows(old: Row, patch: Row) -> Row:
    """``old`` with what ``patch`` brings."""
    # A new vector that came without a picture's hash is no longer the old picture's.
    kept = {field: source for field, source in old.sources.items() if field not in patch.vectors}
    return Row(old.pk, {**old.fields, **patch.fields}, {**old.vectors, **patch.vectors}, {**kept, **patch.sources})


def known_part(schema: TableSchema, row: Row) -> Row:
    """The row without what the schema lacks."""
    attributes, vectors = schema.attribute_fields, schema.vector_fields
    return Row(
        row.pk,
        {name: value for name, value in row.fields.items() if name in attributes},
        {name: vector for name, vector in row.vectors.items() if name in vectors},
        {name: source for name, source in row.sources.items() if name in vectors},
    )


def _check_value(spec: FieldSpec, value: Any, where: str) -> None:
    if spec.type is FieldType.MAP:
        return _check_map(value, where)
    if spec.multi_value != isinstance(value, list):
        raise _wrong(f"{where}: {value!r} where {'a list' if spec.multi_value else 'one value'} belongs")
    for item in value if spec.multi_value else (value,):
        _check_scalar(spec.type, item, where)
    return None


def _check_scalar(kind: FieldType, value: Any, where: str) -> None:
    if kind.is_string and isinstance(value, str):
        return check_text(value, where)
    if kind.is_integer and type(value) is int and kind.bounds[0] <= value <= kind.bounds[1]:
        return None
    if kind.is_number and not kind.is_integer and type(value) in (int, float) and _fits(kind, value):
        return None
    raise _wrong(f"{where}: {value!r} is no {kind.value}")


def _fits(kind: FieldType, value: float) -> bool:
    try:
        number = float(value)
    except OverflowError:
        return False
    largest = float(np.finfo(np.float32 if kind is FieldType.FLOAT else np.float64).max)
    return math.isfinite(number) and abs(number) <= largest


def _check_map(value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise _wrong(f"{where}: {value!r} where key-values belong")
    for key, held in value.items():
        check_text(key, where)
        for item in held if isinstance(held, list) else (held,):
            _check_map_item(item, f"{where}, key {key!r}")


def _check_map_item(item: Any, where: str) -> None:
    if isinstance(item, str):
        return check_text(item, where)
    if type(item) is int and MAP_INTEGERS[0] <= item <= MAP_INTEGERS[1]:
        return None
    if type(item) is float and math.isfinite(item):
        return None
    raise _wrong(f"{where}: {item!r} is neither text nor a number of 64 bits")


def _wrong(message: str) -> RequestError:
    return RequestError(message, code=HaCode.CONST_EXPRESSION_VALUE)
