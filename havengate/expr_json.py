"""Conditions and values in the plan's JSON form; havengate/expr_models.py reads them back."""

from __future__ import annotations

from typing import Any

from havengate.codes import HaCode
from havengate.errors import RequestError
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
    NumberTerm,
    Operand,
    Or,
    Range,
    operand_text,
)

Json = dict[str, Any]


def expr_to_json(expr: Expr) -> Json:
    """An object with one key, the condition's kind: ``{"compare": {"op": "=", ...}}``."""
    match expr:
        case And(items):
            return {"and": [expr_to_json(item) for item in items]}
        case Or(items):
            return {"or": [expr_to_json(item) for item in items]}
        case Not(item):
            return {"not": expr_to_json(item)}
        case AtLeast(items, count):
            return {"atleast": {"count": count, "items": [expr_to_json(item) for item in items]}}
        case Compare() | InPolygon():
            return _of_operands(expr)
        case _:
            return _of_field(expr)


def operand_to_json(operand: Operand) -> Any:
    """A text or a number for a literal, else an object with one key."""
    match operand:
        case Field():
            return {"field": operand_text(operand)}
        case Arith(op, left, right):
            return {"arith": {"op": op, "left": operand_to_json(left), "right": operand_to_json(right)}}
        case Call(name, args):
            return {"call": {"name": name, "args": [operand_to_json(arg) for arg in args]}}
        case Literal(value):
            return value


def by_to_json(operand: Operand) -> Any:
    """Where a text names a field. Raises RequestError 2002 for a constant, which no table takes."""
    match operand:
        case Field():
            return operand_text(operand)
        case Literal():
            message = f"a field is needed, not the constant {operand_text(operand)}"
            raise RequestError(message, code=HaCode.EXPRESSION_LR_ALL_CONST_VALUE, span=operand.span)
        case _:
            return operand_to_json(operand)


def value_to_json(value: Operand | Expr) -> Any:
    """A value or a truth: no condition has the key of a value."""
    if isinstance(value, Field | Literal | Arith | Call):
        return operand_to_json(value)
    return expr_to_json(value)


def ends_to_json(part: NumberTerm | Range, low: float | str | None, high: float | str | None) -> Json:
    return {"low": low, "high": high, "include_low": part.include_low, "include_high": part.include_high}


def _of_operands(expr: Compare | InPolygon) -> Json:
    if isinstance(expr, Compare):
        sides = {"left": operand_to_json(expr.left), "right": operand_to_json(expr.right)}
        return {"compare": {"op": expr.op, **sides}}
    polygon: Any = (
        operand_to_json(expr.polygon) if isinstance(expr.polygon, Field) else [corner.value for corner in expr.polygon]
    )
    point = {"x": operand_to_json(expr.x), "y": operand_to_json(expr.y)}
    return {"in_polygon": {**point, "polygon": polygon, "edge": expr.edge}}


def _of_field(expr: In | Range | Contains | Exists | Match) -> Json:
    named: Json = {"field": operand_text(expr.field)}
    match expr:
        case In(_, values):
            return {"in": named | {"values": [value.value for value in values]}}
        case Range(_, low, high):
            ends = [None if end is None else end.value for end in (low, high)]
            return {"range": named | ends_to_json(expr, *ends)}
        case Contains(_, value):
            return {"contains": named | {"value": value.value}}
        case Exists():
            return {"exists": named}
        case Match(_, text, phrase):
            return {"match": named | {"text": text, "phrase": phrase}}
