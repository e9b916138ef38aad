"""Operands of one number -> programs for the constant script that compares them. Pure.

A program is a list of steps for a stack: ["field", name], ["number", value] and ["+"]. It goes to the cluster as a
parameter, so that no text of a request is ever compiled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engines.checks import DEEPEST, arithmetic_number, number_spec_of, require_literal, require_same_kind, rounded
from engines.opensearch.comparisons import path
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Arith, Field, Literal, Operand
from schemas.table import FieldType

if TYPE_CHECKING:
    from havengate.types import Scalar
    from schemas.table import TableSchema

_BITS = ("&", "|", "^")
_SUMS = ("+", "-", "*", "/")


@dataclass(frozen=True, slots=True)
class Program:
    steps: list[list[Any]]
    real: bool
    has_field: bool


def program(operand: Operand, schema: TableSchema, depth: int = DEEPEST) -> Program:
    """A field, or arithmetic as Int64 or Double. Raises RequestError for what is no number, and unknown operators."""
    if depth == 0:
        raise _unknown(f"arithmetic is nested more than {DEEPEST} deep")
    match operand:
        case Field():
            kind = number_spec_of(operand, schema).type
            return Program([["field", path(operand)]], not kind.is_integer, has_field=True)
        case Literal(value):
            number = arithmetic_number(value)
            return Program([_number(number)], isinstance(number, float), has_field=False)
        case Arith(op, left, right):
            return _joined(op, program(left, schema, depth - 1), program(right, schema, depth - 1))
        case _:
            raise _unknown(f"a value that this engine does not know: {operand!r}")


def literal_beside(value: Scalar, other: Program) -> Program:
    """A literal as it compares with what ``other`` gives: exactly, or as a Double beside one. Raises RequestError."""
    require_literal(value)
    require_same_kind(value, text=False, kind="arithmetic")
    low, high = FieldType.INT64.bounds
    if isinstance(value, int) and not other.real and low <= value <= high:
        return Program([_number(value)], real=False, has_field=False)
    # An integer beyond 64 bits becomes a Double beyond them.
    return Program([_number(rounded(value, single=False))], real=True, has_field=False)  # type: ignore[arg-type]


def _joined(op: str, left: Program, right: Program) -> Program:
    real = left.real or right.real
    if op in _BITS and real:
        raise RequestError(f"{op!r} takes integers only", code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH)
    if op not in _BITS and op not in _SUMS:
        raise _unknown(f"unknown operator {op!r}")
    return Program([*left.steps, *right.steps, [op]], real, left.has_field or right.has_field)


def _number(value: float) -> list[Any]:
    # JSON has no infinity; the script reads the text.
    return ["number", value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"]


def _unknown(message: str) -> RequestError:
    return RequestError(message, code=HaCode.FILTER_CLAUSE)
