"""Conditions and operands against a table's schema: fields exist, types agree, literals take their field's type."""

from __future__ import annotations

import math
from dataclasses import replace

from engines.frames.words import words
from havengate.codes import HaCode
from havengate.errors import DocumentError, RequestError, excerpt
from havengate.types import (
    And,
    Arith,
    Compare,
    Contains,
    Exists,
    Expr,
    Field,
    In,
    Literal,
    Match,
    Not,
    Operand,
    Or,
    Range,
    Span,
    operand_text,
)
from havengate.values import coerce_scalar
from schemas.table import FieldSpec, FieldType, TableSchema

MAX_ARITHMETIC_DEPTH = 64
MAX_WORDS = 256
_SMALLEST, _LARGEST = FieldType.INT64.bounds[0], FieldType.UINT64.bounds[1]
_BIT_OPERATORS = ("&", "|", "^")


def bind_expr(expr: Expr, schema: TableSchema) -> Expr:
    """A condition with its literals in their fields' types. Raises RequestError 1010, 1052, 2000 to 2011."""
    bound: Expr = expr
    match expr:
        case And(items, span):
            bound = And(tuple(bind_expr(item, schema) for item in items), span)
        case Or(items, span):
            bound = Or(tuple(bind_expr(item, schema) for item in items), span)
        case Not(item, span):
            bound = Not(bind_expr(item, schema), span)
        case In(field, values):
            spec = attribute(field, schema)
            bound = replace(expr, values=tuple(_member(spec, value) for value in values))
        case Compare():
            bound = _bind_compare(expr, schema)
        case Contains():
            bound = _bind_contains(expr, schema)
        case Range():
            _check_range(expr, schema)
        case Exists(field):
            attribute(field, schema, whole_map=True)
        case Match():
            _check_match(expr, schema)
    return bound


def attribute(field: Field, schema: TableSchema, *, whole_map: bool = False) -> FieldSpec:
    """The field, which has a path where it is a MAP (``whole_map``: or none). Raises RequestError 2000."""
    spec = schema.attribute_fields.get(field.name)
    keyed = spec is not None and spec.type is FieldType.MAP
    if spec is None or ((field.path is not None) != keyed and not (keyed and whole_map)):
        raise RequestError(_why_not(field, schema), code=HaCode.ATTRIBUTE_NOT_EXIST, span=field.span)
    if field.name in schema.base64_fields:
        message = f"field {field.name!r} holds pictures and is no attribute"
        raise RequestError(message, code=HaCode.ATTRIBUTE_NOT_EXIST, span=field.span)
    return spec


def _why_not(field: Field, schema: TableSchema) -> str:
    spec = schema.attribute_fields.get(field.name)
    if spec is None:
        known = ", ".join(name for name in schema.attribute_fields if name not in schema.base64_fields)
        return f"no attribute {field.name!r}; the table has: {known}"
    if spec.type is FieldType.MAP:
        return f"field {field.name!r} is a MAP: name one of its keys, {field.name}.key"
    return f"field {field.name!r} is {spec.type} and has no keys"


def bind_value(operand: Operand, schema: TableSchema, code: HaCode) -> FieldSpec:
    """What to sort, group or compute by, as a field of its type; several values are the caller's affair.

    Raises RequestError ``code`` for a constant or a key of a MAP, and what an operand may raise.
    """
    if isinstance(operand, Literal):
        message = f"a field is needed, not the constant {excerpt(operand_text(operand))}"
        raise RequestError(message, code=code, span=operand.span)
    spec = operand_spec(operand, schema)
    if spec.type is FieldType.MAP:
        raise RequestError(
            f"{operand_text(operand)!r} is a key of a MAP, which has no one type", code=code, span=operand.span
        )
    return spec


def operand_spec(operand: Field | Arith, schema: TableSchema) -> FieldSpec:
    """The field, or arithmetic as a field of one INT64 or DOUBLE. Raises RequestError 2000 to 2011."""
    return attribute(operand, schema) if isinstance(operand, Field) else _arithmetic(operand, schema, 1)


def _arithmetic(arith: Arith, schema: TableSchema, depth: int) -> FieldSpec:
    if depth > MAX_ARITHMETIC_DEPTH:
        message = f"arithmetic is nested deeper than {MAX_ARITHMETIC_DEPTH} levels"
        raise RequestError(message, code=HaCode.FILTER_CLAUSE, span=arith.span)
    if isinstance(arith.left, Literal) and isinstance(arith.right, Literal):
        message = f"{excerpt(operand_text(arith))} has no field"
        raise RequestError(message, code=HaCode.EXPRESSION_LR_ALL_CONST_VALUE, span=arith.span)
    whole = [_is_integer(side, arith, schema, depth) for side in (arith.left, arith.right)]
    return FieldSpec(excerpt(operand_text(arith)), FieldType.INT64 if all(whole) else FieldType.DOUBLE)


def _is_integer(side: Operand, arith: Arith, schema: TableSchema, depth: int) -> bool:
    match side:
        case Literal():
            _constant(side)
            whole = isinstance(side.value, int)
        case Field():
            whole = _one_number(side, schema).type.is_integer
        case Arith():
            whole = _arithmetic(side, schema, depth + 1).type.is_integer
    if arith.op in _BIT_OPERATORS and not whole:
        message = f"{arith.op} takes integers; {excerpt(operand_text(side))} is none"
        raise RequestError(message, code=HaCode.BIT_UNSUPPORT_TYPE_ERROR, span=side.span)
    return whole


def _one_number(field: Field, schema: TableSchema) -> FieldSpec:
    spec = attribute(field, schema)
    if spec.multi_value:
        raise several_values(spec, field.span)
    if spec.type is FieldType.MAP:
        message = f"{operand_text(field)!r} is a key of a MAP, which has no one type: no arithmetic"
        raise RequestError(message, code=HaCode.EXPRESSION_RESULT_UNKNOWN_TYPE, span=field.span)
    if not spec.type.is_number:
        message = f"field {spec.name!r} is {spec.type}: arithmetic takes numbers"
        raise RequestError(message, code=HaCode.STRING_IN_BINARY_EXPRESSION, span=field.span)
    return spec


def several_values(spec: FieldSpec, span: Span | None) -> RequestError:
    message = f"field {spec.name!r} holds several values"
    return RequestError(message, code=HaCode.EXPRESSION_WITH_MULTI_VALUE, span=span)


def _constant(literal: Literal) -> None:
    """A literal of arithmetic: a number that 64 bits hold."""
    _check_literal(literal)
    if isinstance(literal.value, str):
        message = f"{excerpt(operand_text(literal))}: arithmetic takes numbers"
        raise RequestError(message, code=HaCode.STRING_IN_BINARY_EXPRESSION, span=literal.span)
    if isinstance(literal.value, int) and not _SMALLEST <= literal.value <= _LARGEST:
        message = f"{excerpt(str(literal.value))} has more than 64 bits"
        raise RequestError(message, code=HaCode.CONST_EXPRESSION_VALUE, span=literal.span)


def _bind_compare(expr: Compare, schema: TableSchema) -> Compare:
    left, right = expr.left, expr.right
    if isinstance(left, Literal) and isinstance(right, Literal):
        raise RequestError("a comparison needs a field", code=HaCode.EXPRESSION_LR_ALL_CONST_VALUE, span=expr.span)
    left_spec = None if isinstance(left, Literal) else operand_spec(left, schema)
    right_spec = None if isinstance(right, Literal) else operand_spec(right, schema)
    if left_spec is not None and right_spec is not None:
        _check_two_fields(expr, left_spec, right_spec)
    for side, other in ((left, right), (right, left)):
        if isinstance(side, Literal) and isinstance(other, Arith):
            _constant(side)
    return replace(expr, left=_typed(left, right_spec), right=_typed(right, left_spec))


def _check_two_fields(expr: Compare, left: FieldSpec, right: FieldSpec) -> None:
    if left.multi_value or right.multi_value:
        raise RequestError(
            "two fields are compared only where both hold one value",
            code=HaCode.EXPRESSION_WITH_MULTI_VALUE,
            span=expr.span,
        )
    if FieldType.MAP in (left.type, right.type) or left.type.is_string != right.type.is_string:
        raise RequestError(
            f"{left.name!r} is {left.type}, {right.name!r} is {right.type}",
            code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH,
            span=expr.span,
        )


def _check_literal(literal: Literal) -> None:
    value = literal.value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RequestError("a literal is a string or a number", code=HaCode.CONST_EXPRESSION_VALUE, span=literal.span)
    if isinstance(value, float) and not math.isfinite(value):
        raise RequestError("a literal must be finite", code=HaCode.CONST_EXPRESSION_VALUE, span=literal.span)


def _typed(operand: Operand, other: FieldSpec | None) -> Operand:
    if not isinstance(operand, Literal) or other is None:
        return operand
    _check_literal(operand)
    if other.type is not FieldType.MAP and isinstance(operand.value, str) != other.type.is_string:
        raise RequestError(
            f"field {other.name!r} is {other.type}, {excerpt(repr(operand.value))} is not",
            code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH,
            span=operand.span,
        )
    return operand


def _member(spec: FieldSpec, literal: Literal) -> Literal:
    if spec.type is FieldType.MAP:
        _check_literal(literal)
        return literal
    try:
        return replace(literal, value=coerce_scalar(spec, literal.value))
    except DocumentError as error:
        raise RequestError(error.message, code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, span=literal.span) from error


def _check_range(expr: Range, schema: TableSchema) -> None:
    spec = attribute(expr.field, schema)
    if not spec.type.is_number:
        message = f"{operand_text(expr.field)!r} is {spec.type}: a range is of a number field"
        raise RequestError(message, code=HaCode.STRING_EXPRESSION_NOT_SUPPORT, span=expr.field.span)
    if expr.low is None and expr.high is None:
        raise RequestError("a range needs a low or a high end", code=HaCode.FILTER_CLAUSE, span=expr.span)
    for end in (expr.low, expr.high):
        if end is not None:
            _typed(end, spec)


def _bind_contains(expr: Contains, schema: TableSchema) -> Contains:
    spec = attribute(expr.field, schema)
    if spec.type.is_number and not spec.multi_value:
        message = f"field {spec.name!r} holds one number, which contains nothing"
        raise RequestError(message, code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, span=expr.field.span)
    _typed(expr.value, spec)
    return replace(expr, value=_member(spec, expr.value))


def _check_match(expr: Match, schema: TableSchema) -> None:
    spec = attribute(expr.field, schema)
    if spec.type is not FieldType.TEXT:
        message = f"{operand_text(expr.field)!r} is {spec.type}: words are found in TEXT fields"
        raise RequestError(message, code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, span=expr.field.span)
    check_words(expr.text, expr.span)


def is_finite(number: float) -> bool:
    """Of any number; an integer need not fit a float."""
    return isinstance(number, int) or math.isfinite(number)


def check_words(text: str, span: Span | None) -> None:
    """Raises RequestError 1010 for a text without words, 1033 over MAX_WORDS."""
    found = len(words(text))
    if not found:
        raise RequestError(f"{excerpt(text)!r} has no word to search for", code=HaCode.NULL_QUERY, span=span)
    if found > MAX_WORDS:
        raise RequestError(f"{found} words, the most is {MAX_WORDS}", code=HaCode.QUERY_INVALID, span=span)
