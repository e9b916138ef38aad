"""Values as clients send them -> values as rows keep them. Vendor clients send numbers and vectors as text too."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from havengate.errors import DocumentError, excerpt
from havengate.types import Scalar, Value
from schemas.table import FLOAT32_MAX, FieldSpec, FieldType, TableSchema, VectorIndex

if TYPE_CHECKING:
    from havengate.types import Vector

MULTI_VALUE_SEPARATOR = "\x1d"
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SMALLEST, _LARGEST = FieldType.INT64.bounds[0], FieldType.UINT64.bounds[1]
_MAX_KEY_CHARS = 512


def canonical_key(schema: TableSchema, value: object) -> str:
    """The primary key's one spelling: integers in plain decimal, strings as they are.

    Raises DocumentError for a missing key, a wrong type, or one that is too long.
    """
    name = schema.primary_key
    if value is None or value == "":
        raise DocumentError(f"the primary key {name!r} is missing")
    key = str(coerce_scalar(schema.fields[name], value))
    if len(key) > _MAX_KEY_CHARS or "\x00" in key:
        raise DocumentError(f"the primary key {name!r} must be at most {_MAX_KEY_CHARS} characters without NUL")
    return key


def coerce(spec: FieldSpec, value: object) -> Value:
    """One field's value in its type. Raises DocumentError naming the field."""
    if spec.type is FieldType.MAP:
        return _coerce_map(spec, value)
    if not spec.multi_value:
        return coerce_scalar(spec, value)
    if isinstance(value, str):
        return [coerce_scalar(spec, part) for part in value.split(MULTI_VALUE_SEPARATOR)] if value else []
    values = value if isinstance(value, list) else [value]
    return [coerce_scalar(spec, item) for item in values]


def coerce_scalar(spec: FieldSpec, value: object) -> Scalar:
    """One value of the field's type; text is read as a number where the field is one."""
    if isinstance(value, bool):
        raise _wrong(spec, value)
    if spec.type.is_string:
        return _coerce_text(spec, value)
    if spec.type.is_integer:
        return _coerce_integer(spec, value)
    return _coerce_float(spec, value)


def coerce_vector(index: VectorIndex, value: object) -> Vector:
    """A JSON list of numbers or text joined by the index's delimiter -> float32 [dimension].

    Raises DocumentError for a wrong dimension, a part that is no number, NaN or infinity.
    """
    import numpy as np

    parts = value.split(index.delimiter) if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(_is_number(part) for part in parts):
        raise DocumentError(f"field {index.field!r}: a vector is a list of numbers")
    try:
        vector = np.array(parts, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise DocumentError(f"field {index.field!r}: a vector is a list of finite 32-bit numbers") from error
    if vector.shape != (index.dimension,):
        found = len(parts) if vector.ndim == 1 else f"shape {vector.shape}"
        raise DocumentError(f"field {index.field!r}: dimension {found}, the index {index.name!r} has {index.dimension}")
    if not np.all(np.abs(vector) <= FLOAT32_MAX):
        raise DocumentError(f"field {index.field!r}: a vector holds finite 32-bit numbers only")
    return vector.astype(np.float32)


def _is_number(part: object) -> bool:
    if isinstance(part, str):
        return _NUMBER.fullmatch(part.strip()) is not None
    return isinstance(part, int | float) and not isinstance(part, bool)


def _coerce_text(spec: FieldSpec, value: object) -> str:
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise _wrong(spec, value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DocumentError(f"field {spec.name!r}: text is not valid Unicode") from error
    return value


def _coerce_integer(spec: FieldSpec, value: object) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        value = int(value)
    if not isinstance(value, int):
        raise _wrong(spec, value)
    low, high = spec.type.bounds
    if not low <= value <= high:
        raise DocumentError(f"field {spec.name!r}: {excerpt(str(value))} is outside {spec.type} ({low} to {high})")
    return value


def _coerce_float(spec: FieldSpec, value: object) -> float:
    if not isinstance(value, int | float) and not (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        raise _wrong(spec, value)
    try:
        number = float(value)
    except (ValueError, OverflowError) as error:
        raise _wrong(spec, value) from error
    if not math.isfinite(number) or (spec.type is FieldType.FLOAT and abs(number) > FLOAT32_MAX):
        raise DocumentError(f"field {spec.name!r}: {value!r} is not a finite {spec.type}")
    return number


def _coerce_map(spec: FieldSpec, value: object) -> Value:
    if not isinstance(value, Mapping):
        raise _wrong(spec, value)
    return {_coerce_text(spec, key): _coerce_open(spec, item) for key, item in value.items()}


def _coerce_open(spec: FieldSpec, value: object) -> Scalar | list[Scalar]:
    if isinstance(value, list):
        return [_open_scalar(spec, item) for item in value]
    return _open_scalar(spec, value)


def _open_scalar(spec: FieldSpec, value: object) -> Scalar:
    if isinstance(value, str):
        return _coerce_text(spec, value)
    if isinstance(value, int) and not isinstance(value, bool) and _SMALLEST <= value <= _LARGEST:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise _wrong(spec, value)


def _wrong(spec: FieldSpec, value: object) -> DocumentError:
    return DocumentError(f"field {spec.name!r}: {excerpt(repr(value))} is not a {spec.type}")
