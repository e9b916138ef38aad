"""One field beside literals -> a clause that holds where any of the field's values matches. Pure.

Numbers are put into the field's own type here: OpenSearch would refuse or round what lies beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engines.checks import require_literal, require_same_kind, rounded
from engines.opensearch import scripts
from engines.opensearch.dsl import NONE, Clause, exists, one_of, script
from engines.opensearch.mapping import stored_path
from engines.opensearch.tokens import key_token, keyword, kind_bounds, value_token
from schemas.table import FieldSpec, FieldType

if TYPE_CHECKING:
    from havengate.types import CompareOp, Field, Range, Scalar

_RANGE_BYTES = 500
"""Lucene refuses ranges from a text of 1,000 bytes on, which a script compares value by value."""
_BOUNDS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def present(field: Field, spec: FieldSpec) -> Clause:
    """The field, or the key of a MAP, has a value; of a MAP without a path, any key."""
    if field.path is None:
        return exists(stored_path(spec))
    return {"term": {stored_path(spec): key_token(field.path)}}


def equals(field: Field, spec: FieldSpec, values: Sequence[Scalar]) -> Clause:
    """Raises RequestError where text meets a number, and for NaN."""
    for value in values:
        _check(spec, value)
    if spec.type is FieldType.MAP:
        terms: list[Any] = [value_token(str(field.path), value) for value in values]
    elif spec.type.is_string:
        terms = [keyword(str(value)) for value in values]
    elif spec.type.is_integer:
        low, high = spec.type.bounds
        terms = [int(value) for value in values if low <= value <= high and value == int(value)]  # type: ignore[operator]
    else:
        terms = [number for value in values if math.isfinite(number := _real(spec, value))]
    return one_of(stored_path(spec), list(dict.fromkeys(terms)))


def ordered(field: Field, spec: FieldSpec, op: CompareOp, value: Scalar) -> Clause:
    """``field op value`` for <, <=, >, >=. Raises as ``equals`` does."""
    _check(spec, value)
    if spec.type is FieldType.MAP:
        first, last = kind_bounds(str(field.path), value)
        ends = {"gte": first} if op in ("<", "<=") else {"lt": last}
        return _text_range(spec, {_BOUNDS[op]: value_token(str(field.path), value), **ends})
    if isinstance(value, str):
        return _text_range(spec, {_BOUNDS[op]: keyword(value)})
    if spec.type.is_integer:
        return _ordered_integer(field, spec, op, value)
    number = _real(spec, value)
    if math.isinf(number):
        return present(field, spec) if (number > 0) == (op in ("<", "<=")) else NONE
    return {"range": {stored_path(spec): {_BOUNDS[op]: number}}}


def between(node: Range, spec: FieldSpec) -> Clause:
    """One clause for both bounds: with two, one value could pass the lower and another the upper."""
    low: CompareOp = ">=" if node.include_low else ">"
    high: CompareOp = "<=" if node.include_high else "<"
    sides = [
        ordered(node.field, spec, op, bound.value)
        for op, bound in ((low, node.low), (high, node.high))
        if bound is not None
    ]
    if NONE in sides:
        return NONE
    ends = {end: value for side in sides if "range" in side for end, value in side["range"][stored_path(spec)].items()}
    return {"range": {stored_path(spec): ends}} if ends else present(node.field, spec)


def _text_range(spec: FieldSpec, ends: dict[str, str]) -> Clause:
    if all(len(end.encode()) <= _RANGE_BYTES for end in ends.values()):
        return {"range": {stored_path(spec): ends}}
    params = {"field": stored_path(spec), "ends": ends}
    return script(scripts.TEXT_RANGE, params)


def _check(spec: FieldSpec, value: Scalar) -> None:
    require_literal(value)
    if spec.type is not FieldType.MAP:
        require_same_kind(value, text=spec.type.is_string, kind=spec.type.value)


def _real(spec: FieldSpec, value: Any) -> float:
    return rounded(value, single=spec.type is FieldType.FLOAT) + 0.0


def _ordered_integer(field: Field, spec: FieldSpec, op: CompareOp, value: float) -> Clause:
    low, high = spec.type.bounds
    if value > high or value < low:
        return present(field, spec) if (value > high) == (op in ("<", "<=")) else NONE
    if op in ("<", "<="):
        limit = math.ceil(value) - 1 if op == "<" else math.floor(value)
        return {"range": {stored_path(spec): {"lte": limit}}} if limit >= low else NONE
    limit = math.floor(value) + 1 if op == ">" else math.ceil(value)
    return {"range": {stored_path(spec): {"gte": limit}}} if limit <= high else NONE
