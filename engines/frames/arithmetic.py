"""Values over a frame: fields, literals and arithmetic of them, as havengate.expr defines it.

polars wraps 64-bit integers as two's complement does, and answers an integer division by zero with null.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from engines.checks import DEEPEST, arithmetic_number, number_spec_of, single_spec_of
from engines.frames.columns import DTYPES
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Arith, Field, Literal, Operand
from schemas.table import TableSchema

Typed = tuple[pl.Expr, pl.DataType]

_INTEGER, _REAL = pl.Int64(), pl.Float64()
_BITS: Mapping[str, Callable[[Any, Any], pl.Expr]] = {"&": operator.and_, "|": operator.or_, "^": operator.xor}
_SUMS: Mapping[str, Callable[[Any, Any], pl.Expr]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def compile_value(operand: Operand, schema: TableSchema) -> Typed:
    """A column and its type, null where a value is missing: a field as it is stored, arithmetic as Int64 or Float64.

    A value without a field in it has one row alone. Raises RequestError for an unknown field, for one of several
    values or a MAP, and for arithmetic with what is no number.
    """
    match operand:
        case Field():
            spec = single_spec_of(operand, schema)
            return pl.col(operand.name), DTYPES[spec.type]
        case Literal(str() as text):
            return pl.lit(text, dtype=pl.String), pl.String()
        case Literal(value):
            return _number(value)
        case Arith():
            result, dtype = _arithmetic(operand, schema, DEEPEST)
            # NaN stays NaN all the way up, so that one look at the end is enough.
            return (result.fill_nan(None) if dtype.is_float() else result), dtype
        case _:
            raise _unknown(f"a value that this engine does not know: {operand!r}")


def _arithmetic(operand: Operand, schema: TableSchema, depth: int) -> Typed:
    if depth == 0:
        raise _unknown(f"arithmetic is nested more than {DEEPEST} deep")
    match operand:
        case Field():
            return _widened(operand, schema)
        case Literal(value):
            return _number(value)
        case Arith(op, left, right):
            return _combined(op, _arithmetic(left, schema, depth - 1), _arithmetic(right, schema, depth - 1))
        case _:
            raise _unknown(f"a value that this engine does not know: {operand!r}")


def _widened(field: Field, schema: TableSchema) -> Typed:
    dtype = DTYPES[number_spec_of(field, schema).type]
    if dtype.is_float():
        return pl.col(field.name).cast(_REAL), _REAL
    return pl.col(field.name).cast(_INTEGER, wrap_numerical=True), _INTEGER


def _number(value: float | str) -> Typed:
    number = arithmetic_number(value)
    dtype = _INTEGER if isinstance(number, int) else _REAL
    return pl.lit(number, dtype=dtype), dtype


def _combined(op: str, left: Typed, right: Typed) -> Typed:
    """Uses each side once: a side used twice at every level would make an expression of exponential size."""
    dtype = _REAL if left[1].is_float() or right[1].is_float() else _INTEGER
    if op in _BITS:
        if dtype.is_float():
            raise RequestError(f"{op!r} takes integers only", code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH)
        return _BITS[op](left[0], right[0]), dtype
    a, b = left[0].cast(dtype), right[0].cast(dtype)
    if op in _SUMS:
        return _SUMS[op](a, b), dtype
    if op != "/":
        raise _unknown(f"unknown operator {op!r}")
    if dtype.is_float():
        return a / b.replace(0.0, None), dtype
    return pl.map_batches([a, b], _quotient, return_dtype=dtype, is_elementwise=True), dtype


def _quotient(sides: Sequence[pl.Series]) -> pl.Series:
    """Cuts towards zero, where polars itself goes down."""
    dividend, divisor = sides
    down = dividend // divisor
    inexact = down * divisor != dividend
    return down + (inexact & ((dividend < 0) != (divisor < 0))).cast(pl.Int64)


def _unknown(message: str) -> RequestError:
    return RequestError(message, code=HaCode.FILTER_CLAUSE)
