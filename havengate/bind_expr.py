"""Conditions and operands against a table's schema: fields exist, types agree, literals take their field's type."""

from __future__ import annotations

import math
from dataclasses import replace

from engines.checks import integer_of_64_bits
from engines.frames.words import words
from engines.operand_types import (
    Rules,
    has_field,
    operand_spec,
    require_comparable,
    require_polygon,
    several_values,
)
from havengate.codes import HaCode
from havengate.errors import DocumentError, RequestError, excerpt
from havengate.types import (
    And,
    Arith,
    AtLeast,
    Call,
    Compare,
    Contains,
    Exists,
    Expr,
    Field,
    In,
    InPolygon,
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

__all__ = [
    "MAX_DEPTH",
    "MAX_WORDS",
    "attribute",
    "bind_expr",
    "bind_value",
    "check_words",
    "is_finite",
    "several_values",
    "value_spec",
]

MAX_DEPTH = 64
"""Of operators; a function counts for engines.operand_types.CALL_LEVELS."""
MAX_WORDS = 256


def bind_expr(expr: Expr, schema: TableSchema) -> Expr:
    """A condition with its literals in their fields' types. Raises RequestError 1010, 1052, 2000 to 2011."""
    bound: Expr = expr
    match expr:
        case And(items, span):
            bound = And(tuple(bind_expr(item, schema) for item in items), span)
        case Or(items, span):
            bound = Or(tuple(bind_expr(item, schema) for item in items), span)
        case AtLeast(items, count, span):
            bound = AtLeast(tuple(bind_expr(item, schema) for item in items), count, span)
        case Not(item, span):
            bound = Not(bind_expr(item, schema), span)
        case In(field, values):
            spec = attribute(field, schema)
            bound = replace(expr, values=tuple(_member(spec, value) for value in values))
        case Contains():
            bound = _bind_contains(expr, schema)
        case _:
            _check(expr, schema)
    return bound


def _check(expr: Compare | Range | Exists | Match | InPolygon, schema: TableSchema) -> None:
    """Conditions that stay as they are."""
    match expr:
        case Compare(_, left, right):
            require_comparable(expr, _rules(schema))
            if isinstance(left, Arith | Call) or isinstance(right, Arith | Call):
                for literal in (side for side in (left, right) if isinstance(side, Literal)):
                    integer_of_64_bits(literal.value, literal.span)
        case Range():
            _check_range(expr, schema)
        case Exists(field):
            attribute(field, schema, whole_map=True)
        case Match():
            _check_match(expr, schema)
        case InPolygon():
            require_polygon(expr, _rules(schema))


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
        known = ", ".join(schema.shown_fields)
        return f"no attribute {field.name!r}; the table has: {known}"
    if spec.type is FieldType.MAP:
        return f"field {field.name!r} is a MAP: name one of its keys, {field.name}.key"
    return f"field {field.name!r} is {spec.type} and has no keys"


def bind_value(operand: Operand, schema: TableSchema, code: HaCode) -> FieldSpec:
    """What to sort, group or compute by, as a field of its type; several values are the caller's affair.

    Raises RequestError ``code`` for what has no field and for a key of a MAP, and what an operand may raise.
    """
    spec = value_spec(operand, schema)
    if not has_field(operand):
        message = f"a field is needed, not the constant {excerpt(operand_text(operand))}"
        raise RequestError(message, code=code, span=operand.span)
    if spec.type is FieldType.MAP:
        raise RequestError(
            f"{operand_text(operand)!r} is a key of a MAP, which has no one type", code=code, span=operand.span
        )
    return spec


def value_spec(operand: Operand, schema: TableSchema) -> FieldSpec:
    """What a value is, constants included. Raises RequestError 1052, 2000 to 2011, 2101."""
    return operand_spec(operand, _rules(schema))


def _rules(schema: TableSchema) -> Rules:
    return Rules(lambda field: attribute(field, schema), _check_literal, MAX_DEPTH)


def _check_literal(literal: Literal) -> None:
    value = literal.value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RequestError("a literal is a string or a number", code=HaCode.CONST_EXPRESSION_VALUE, span=literal.span)
    if isinstance(value, float) and not math.isfinite(value):
        raise RequestError("a literal must be finite", code=HaCode.CONST_EXPRESSION_VALUE, span=literal.span)


def _check_kind(literal: Literal, spec: FieldSpec) -> None:
    _check_literal(literal)
    if spec.type is not FieldType.MAP and isinstance(literal.value, str) != spec.type.is_string:
        raise RequestError(
            f"field {spec.name!r} is {spec.type}, {excerpt(repr(literal.value))} is not",
            code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH,
            span=literal.span,
        )


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
            _check_kind(end, spec)


def _bind_contains(expr: Contains, schema: TableSchema) -> Contains:
    spec = attribute(expr.field, schema)
    if spec.type.is_number and not spec.multi_value:
        message = f"field {spec.name!r} holds one number, which contains nothing"
        raise RequestError(message, code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, span=expr.field.span)
    _check_kind(expr.value, spec)
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
