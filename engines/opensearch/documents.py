"""Rows <-> documents of the index. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.checks import arithmetic_number, rounded
from engines.frames.words import words
from engines.opensearch.mapping import INTERNAL, has_length, has_order, has_words, internal, is_map, shown_name
from engines.opensearch.tokens import keyword, map_tokens
from havengate.types import Row
from schemas.table import FieldSpec, FieldType

if TYPE_CHECKING:
    from havengate.types import Value, Vector
    from schemas.table import TableSchema

_FLOAT, _DOUBLE = np.dtype(">f4"), np.dtype(">f8")


ROW = internal("row")


def document(schema: TableSchema, row: Row) -> dict[str, Any]:
    """What mapping.py describes, for a row that was checked."""
    held = [
        (spec, row.fields[spec.name], _compared(spec, row.fields[spec.name]))
        for spec in schema.attribute_fields.values()
        if spec.name in row.fields
    ]
    return {
        **{shown_name(spec.name): _shown(spec, value, compared) for spec, value, compared in held},
        INTERNAL: {
            "row": json.dumps(dict(row.fields), ensure_ascii=False, allow_nan=False),
            "words": {spec.name: _words(value) for spec, value, _ in held if has_words(spec)},
            "maps": {spec.name: compared for spec, _, compared in held if is_map(spec)},
            "lengths": {spec.name: len(value) for spec, value, _ in held if has_length(spec)},  # type: ignore[arg-type]
            "ordered": {spec.name: _ordered(value) for spec, _, value in held if value and has_order(spec)},
            "sources": dict(row.sources),
            "exact": {name: encode_vector(vector) for name, vector in row.vectors.items()},
            "vectors": {name: vector.tolist() for name, vector in row.vectors.items()},
        },
    }


def row(schema: TableSchema, source: Mapping[str, Any]) -> Row:
    """A row from a document's _source; its vectors are those that ``exact`` holds there."""
    fields = json.loads(row_text(source))
    exact = source[INTERNAL].get("exact", {})
    return Row(
        str(fields[schema.primary_key]),
        fields,
        {name: decode_vector(text) for name, text in exact.items()},
        dict(source[INTERNAL].get("sources", {})),
    )


def row_text(source: Mapping[str, Any]) -> str:
    """The fields as JSON text, from a document's _source."""
    text: str = source[INTERNAL]["row"]
    return text


def row_source(vector_fields: Iterable[str]) -> list[str]:
    """The parts of _source that ``row`` reads, with the vectors of these fields."""
    return [ROW, internal("sources"), *(internal("exact", name) for name in vector_fields)]


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


def _shown(spec: FieldSpec, value: Value, compared: Any) -> Any:
    """The value as people read it, of which OpenSearch makes what compares."""
    if is_map(spec):
        return value
    if spec.type is not FieldType.FLOAT:
        return compared
    return [_short(number) for number in compared] if isinstance(compared, list) else _short(compared)


def _short(number: float) -> float:
    """The shortest number that is rounded to this one of 32 bits: 0.1 instead of 0.10000000149011612."""
    short = float(str(np.float32(number)))
    # Read as 64 bits first, it might end up beside it.
    return short if rounded(short, single=True) == number else number


def _scalar(spec: FieldSpec, value: Any) -> Any:
    if spec.type.is_string:
        return keyword(value)
    if spec.type.is_integer:
        return value
    # Lucene tells -0.0 from 0.0; adding zero makes them one.
    return rounded(value, single=spec.type is FieldType.FLOAT) + 0.0
