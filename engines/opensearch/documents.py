"""Rows <-> documents of the index. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.checks import arithmetic_number, rounded
from engines.frames.words import words
from engines.opensearch.mapping import has_length, has_order, has_words
from engines.opensearch.tokens import keyword, map_tokens
from havengate.types import Row
from schemas.table import FieldSpec, FieldType

if TYPE_CHECKING:
    from havengate.types import Value, Vector
    from schemas.table import TableSchema

_FLOAT, _DOUBLE = np.dtype(">f4"), np.dtype(">f8")


def document(schema: TableSchema, row: Row) -> dict[str, Any]:
    """What mapping.py describes, for a row that was checked."""
    attributes = schema.attribute_fields
    compared = {name: _compared(attributes[name], value) for name, value in row.fields.items()}
    return {
        "row": json.dumps(dict(row.fields), ensure_ascii=False, allow_nan=False),
        "fields": compared,
        "words": {name: _words(value) for name, value in row.fields.items() if has_words(attributes[name])},
        "lengths": {name: len(value) for name, value in row.fields.items() if has_length(attributes[name])},  # type: ignore[arg-type]
        "ordered": {name: _ordered(value) for name, value in compared.items() if value and has_order(attributes[name])},
        "sources": dict(row.sources),
        "exact": {name: encode_vector(vector) for name, vector in row.vectors.items()},
        "vectors": {name: vector.tolist() for name, vector in row.vectors.items()},
    }


def row(schema: TableSchema, source: Mapping[str, Any]) -> Row:
    """A row from a document's _source; its vectors are those that ``exact`` holds there."""
    fields = json.loads(source["row"])
    exact = source.get("exact", {})
    return Row(
        str(fields[schema.primary_key]),
        fields,
        {name: decode_vector(text) for name, text in exact.items()},
        dict(source.get("sources", {})),
    )


def row_source(vector_fields: Iterable[str]) -> list[str]:
    """The parts of _source that ``row`` reads, with the vectors of these fields."""
    return ["row", "sources", *(f"exact.{name}" for name in vector_fields)]


def encode_vector(vector: Vector) -> str:
    return base64.b64encode(vector.astype(_FLOAT).tobytes()).decode()


def decode_vector(text: str) -> Vector:
    return np.frombuffer(base64.b64decode(text), _FLOAT).astype(np.float32)


def _ordered(values: list[float]) -> str:
    return base64.b64encode(np.array([arithmetic_number(value) for value in values], _DOUBLE).tobytes()).decode()


def _words(value: Any) -> list[str]:
    return [" ".join(words(text)) for text in (value if isinstance(value, list) else [value])]


def _compared(spec: FieldSpec, value: Value) -> Any:
    if isinstance(value, dict):
        return map_tokens(value)
    if isinstance(value, list):
        return [_scalar(spec, item) for item in value]
    return _scalar(spec, value)


def _scalar(spec: FieldSpec, value: Any) -> Any:
    if spec.type.is_string:
        return keyword(value)
    if spec.type.is_integer:
        return value
    # Lucene tells -0.0 from 0.0; adding zero makes them one.
    return rounded(value, single=spec.type is FieldType.FLOAT) + 0.0
