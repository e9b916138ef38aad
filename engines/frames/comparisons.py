"""Exact comparisons of one polars column with a literal or another column; null where a value is missing."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from engines.checks import flipped, require_same_kind, rounded
from engines.frames.columns import DTYPES
from engines.values import MAP_INTEGERS
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import CompareOp, Scalar
from schemas.table import FieldType

_OPERATORS: Mapping[CompareOp, Callable[[Any, Any], pl.Expr]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_BOUNDS: Mapping[pl.DataType, tuple[int, int]] = {
    **{DTYPES[kind]: kind.bounds for kind in FieldType if kind.is_integer},
    pl.Int128(): MAP_INTEGERS,
}
_BEYOND_64_BITS = 2.0**65


def compare_literal(column: pl.Expr, dtype: pl.DataType, op: CompareOp, value: Scalar) -> pl.Expr:
    """``column op value``, the value not rounded; ``!=`` is the caller's negation of ``=``.

    Raises RequestError where text meets a number.
    """
    require_same_kind(value, text=dtype == pl.String, kind=str(dtype))
    if isinstance(value, str):
        return _OPERATORS[op](column, pl.lit(value, dtype=dtype))
    return (_compare_integers if dtype.is_integer() else _compare_floats)(column, dtype, op, value)


def in_literals(column: pl.Expr, dtype: pl.DataType, values: Sequence[Scalar]) -> pl.Expr:
    """``column`` equals one of the values, none of them rounded. Raises as ``compare_literal`` does."""
    for value in values:
        require_same_kind(value, text=dtype == pl.String, kind=str(dtype))
    if dtype.is_integer():
        low, high = _BOUNDS[dtype]
        values = [int(value) for value in values if low <= value <= high and value == int(value)]  # type: ignore[operator]
    elif dtype.is_float():
        values = [near for value in values if (near := rounded(value, single=dtype == pl.Float32)) == value]  # type: ignore[arg-type]
    return column.is_in(pl.Series(values, dtype=dtype).implode())


def compare_columns(
    left: pl.Expr, left_dtype: pl.DataType, op: CompareOp, right: pl.Expr, right_dtype: pl.DataType
) -> pl.Expr:
    """``left op right``. Raises RequestError where text meets a number."""
    if (left_dtype == pl.String) != (right_dtype == pl.String):
        raise RequestError("text compared with a number", code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH)
    if left_dtype.is_integer() and right_dtype.is_float():
        return _compare_integer_with_float(left, op, right)
    if left_dtype.is_float() and right_dtype.is_integer():
        return _compare_integer_with_float(right, flipped(op), left)
    return _OPERATORS[op](left, right)


def _compare_integers(column: pl.Expr, dtype: pl.DataType, op: CompareOp, value: float) -> pl.Expr:
    low, high = _BOUNDS[dtype]
    if not low <= value <= high:
        return where_present(column, op in (("<", "<=") if value > high else (">", ">=")))
    if value != int(value):
        if op == "=":
            return where_present(column, truth=False)
        op, value = ("<=", math.floor(value)) if op in ("<", "<=") else (">=", math.ceil(value))
    return _OPERATORS[op](column, pl.lit(int(value), dtype=dtype))


def _compare_floats(column: pl.Expr, dtype: pl.DataType, op: CompareOp, value: float) -> pl.Expr:
    near = rounded(value, single=dtype == pl.Float32)
    if near != value:
        # The column holds no number between the value and the nearest one, so that one decides.
        if op == "=":
            return where_present(column, truth=False)
        op = ("<" if near > value else "<=") if op in ("<", "<=") else (">=" if near > value else ">")
    return _OPERATORS[op](column, pl.lit(near, dtype=dtype))


def _compare_integer_with_float(integer: pl.Expr, op: CompareOp, real: pl.Expr) -> pl.Expr:
    # No integer of 64 bits lies beyond the clip, so clipping changes no answer and the cast cannot overflow.
    real = real.cast(pl.Float64).clip(-_BEYOND_64_BITS, _BEYOND_64_BITS)
    integer = integer.cast(pl.Int128)
    floor, ceiling = real.floor().cast(pl.Int128), real.ceil().cast(pl.Int128)
    if op in ("=", "!="):
        equal = (integer == floor) & (integer == ceiling)
        return equal if op == "=" else ~equal
    return _OPERATORS[op](integer, ceiling if op in ("<", ">=") else floor)


def where_present(column: pl.Expr, truth: bool) -> pl.Expr:
    """The same truth wherever there is a value."""
    return pl.when(column.is_not_null()).then(pl.lit(truth))
