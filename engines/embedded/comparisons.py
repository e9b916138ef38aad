"""Exact comparisons of one polars column with a literal or another column; null where a value is missing."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from engines.checks import require_literal, require_same_kind, rounded
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import CompareOp, Scalar

_OPERATORS: Mapping[CompareOp, Callable[[Any, Any], pl.Expr]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_BEYOND_64_BITS = 2.0**65


def compare_literal(column: pl.Expr, dtype: pl.DataType, op: CompareOp, value: Scalar) -> pl.Expr:
    """``column op value``. Raises RequestError where text meets a number, and for NaN."""
    require_comparable(dtype, value)
    if dtype.is_integer():
        return _compare_integers(column, dtype, op, value)  # type: ignore[arg-type]
    literal = pl.lit(value if isinstance(value, str) else rounded(value, single=dtype == pl.Float32), dtype=dtype)
    return _OPERATORS[op](column, literal)


def in_literals(column: pl.Expr, dtype: pl.DataType, values: Sequence[Scalar]) -> pl.Expr:
    """``column`` equals one of the values. Raises as ``compare_literal`` does."""
    for value in values:
        require_comparable(dtype, value)
    if dtype.is_integer():
        low, high = bounds(dtype)
        values = [int(value) for value in values if low <= value <= high and value == int(value)]  # type: ignore[operator]
    elif dtype.is_float():
        values = [rounded(value, single=dtype == pl.Float32) for value in values]  # type: ignore[arg-type]
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
    if left_dtype != right_dtype:
        # polars would compare signed with unsigned 64 bits as doubles.
        exact = pl.Int128 if left_dtype.is_integer() else pl.Float64
        left, right = left.cast(exact), right.cast(exact)
    return _OPERATORS[op](left, right)


def flipped(op: CompareOp) -> CompareOp:
    """The operator with its sides exchanged."""
    flips: Mapping[CompareOp, CompareOp] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
    return flips.get(op, op)


def require_comparable(dtype: pl.DataType, value: object) -> None:
    require_literal(value)
    require_same_kind(value, text=dtype == pl.String, kind=str(dtype))


def bounds(dtype: pl.DataType) -> tuple[int, int]:
    """Smallest and largest value of an integer type."""
    bits = int(str(dtype).lstrip("UInt"))
    return (0, 2**bits - 1) if dtype.is_unsigned_integer() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _compare_integers(column: pl.Expr, dtype: pl.DataType, op: CompareOp, value: float) -> pl.Expr:
    low, high = bounds(dtype)
    if not low <= value <= high:
        return _where_present(column, op in (("!=", "<", "<=") if value > high else ("!=", ">", ">=")))
    if value != int(value):
        if op in ("=", "!="):
            return _where_present(column, op == "!=")
        op, value = ("<=", math.floor(value)) if op in ("<", "<=") else (">=", math.ceil(value))
    return _OPERATORS[op](column, pl.lit(int(value), dtype=dtype))


def _compare_integer_with_float(integer: pl.Expr, op: CompareOp, real: pl.Expr) -> pl.Expr:
    # No integer of 64 bits lies beyond the clip, so clipping changes no answer and the cast cannot overflow.
    real = real.cast(pl.Float64).clip(-_BEYOND_64_BITS, _BEYOND_64_BITS)
    integer = integer.cast(pl.Int128)
    floor, ceiling = real.floor().cast(pl.Int128), real.ceil().cast(pl.Int128)
    if op in ("=", "!="):
        equal = (integer == floor) & (integer == ceiling)
        return equal if op == "=" else ~equal
    return _OPERATORS[op](integer, ceiling if op in ("<", ">=") else floor)


def _where_present(column: pl.Expr, truth: bool) -> pl.Expr:
    return pl.when(column.is_not_null()).then(pl.lit(truth))
