"""Values over a frame: fields, literals, arithmetic and functions of them, as havengate.expr defines them.

polars wraps 64-bit integers as two's complement does, and answers an integer division by zero with null.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from engines.checks import arithmetic_number, spec_of
from engines.frames.calls import computed, length, replaced
from engines.frames.columns import DTYPES
from engines.operand_types import engine_rules, has_field, operand_spec, require_single
from havengate.types import Arith, Call, Field, Literal, Operand
from schemas.table import TableSchema

Typed = tuple[pl.Expr, pl.DataType]

_INTEGER, _REAL = pl.Int64(), pl.Float64()
_BITS: Mapping[str, Callable[[Any, Any], pl.Expr]] = {"&": operator.and_, "|": operator.or_, "^": operator.xor}
_SUMS: Mapping[str, Callable[[Any, Any], pl.Expr]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def compile_value(operand: Operand, schema: TableSchema) -> Typed:
    """A column and its type, null where a value is missing: a field as it is stored, arithmetic as Int64 or Float64.

    A value without a field in it has one row alone. Raises RequestError as ``operand_spec`` does, and for a field of
    several values or a MAP.
    """
    require_single(operand, operand_spec(operand, engine_rules(schema)))
    return _value(operand, schema)


def compile_double(operand: Operand, schema: TableSchema) -> pl.Expr:
    """A number as functions and points take it; its kind has been looked at before."""
    column, dtype = _value(operand, schema)
    return _signed(column, dtype).cast(_REAL)


def _value(operand: Operand, schema: TableSchema) -> Typed:
    match operand:
        case Field():
            return pl.col(operand.name), DTYPES[spec_of(operand, schema).type]
        case Literal(str() as text):
            return pl.lit(text, dtype=pl.String), pl.String()
        case Literal(value):
            return _number(value)
        case Arith():
            result, dtype = _arithmetic(operand, schema)
            # NaN stays NaN all the way up, so that one look at the end is enough.
            return (result.fill_nan(None) if dtype.is_float() else result), dtype
        case Call():
            result, dtype = _call(operand, schema)
            # A column of one row and a literal are not the same beside other columns.
            return (result if has_field(operand) else pl.lit(pl.select(result).item(), dtype=dtype)), dtype


def _arithmetic(operand: Operand, schema: TableSchema) -> Typed:
    if isinstance(operand, Arith):
        return _combined(operand.op, _arithmetic(operand.left, schema), _arithmetic(operand.right, schema))
    column, dtype = _value(operand, schema)
    return _signed(column, dtype), _REAL if dtype.is_float() else _INTEGER


def _signed(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return column.cast(_REAL) if dtype.is_float() else column.cast(_INTEGER, wrap_numerical=True)


def _number(value: float | str) -> Typed:
    number = arithmetic_number(value)
    dtype = _INTEGER if isinstance(number, int) else _REAL
    return pl.lit(number, dtype=dtype), dtype


def _call(call: Call, schema: TableSchema) -> Typed:
    match call:
        case Call("fieldlen", (Field() as field,)):
            spec = spec_of(field, schema)
            return length(pl.col(field.name), several=spec.multi_value), _INTEGER
        case Call("to_string", (argument,)):
            return _value(argument, schema)[0].cast(pl.String), pl.String()
        case Call("string_replace", (text, Literal(str() as characters), Literal(str() as by))):
            return replaced(_value(text, schema)[0], characters, by), pl.String()
        case _:
            return computed(call.name, [compile_double(argument, schema) for argument in call.args]), pl.Float32()


def _combined(op: str, left: Typed, right: Typed) -> Typed:
    """Uses each side once: a side used twice at every level would make an expression of exponential size."""
    dtype = _REAL if left[1].is_float() or right[1].is_float() else _INTEGER
    if op in _BITS:
        return _BITS[op](left[0], right[0]), dtype
    a, b = left[0].cast(dtype), right[0].cast(dtype)
    if op in _SUMS:
        return _SUMS[op](a, b), dtype
    quotient = _real_quotient if dtype.is_float() else _whole_quotient
    return pl.map_batches([a, b], quotient, return_dtype=dtype, is_elementwise=True), dtype


def _real_quotient(sides: Sequence[pl.Series]) -> pl.Series:
    """Rounded once, where polars itself multiplies by the rounded reciprocal of a literal; NaN for no value."""
    dividend, divisor = (side.to_numpy() for side in sides)
    with np.errstate(all="ignore"):
        return pl.Series(np.where(divisor == 0, np.nan, dividend / divisor), dtype=_REAL)


def _whole_quotient(sides: Sequence[pl.Series]) -> pl.Series:
    """Cuts towards zero, where polars itself goes down."""
    dividend, divisor = sides
    down = dividend // divisor
    inexact = down * divisor != dividend
    return down + (inexact & ((dividend < 0) != (divisor < 0))).cast(pl.Int64)
