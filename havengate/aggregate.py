"""Aggregates over a pool's rows, exact and in a fixed order. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeGuard

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.steps import limits_reached
from havengate.types import Aggregate, AggregateFunction, Aggregation, Field, Group, Operand, Scalar, operand_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from schemas.table import TableSchema

_COUNT = "#count"
_MULTIPLYING = 2
MAX_COMBINATIONS = 5_000_000
"""The most combinations of keys' values that one aggregate counts: rows of several values under several keys multiply.
"""


def aggregate(frame: pl.DataFrame, spec: Aggregate, schema: TableSchema) -> Aggregation:
    """The groups of one aggregate, with plain Python values.

    Sums of integers are exact; a sum of reals is the DOUBLE nearest to the true sum, whatever the rows' order.
    Raises RequestError for values that have no sum, for a sum beyond DOUBLE, and for more than MAX_COMBINATIONS.
    """
    import polars as pl

    from engines.frames.columns import short_floats
    from engines.frames.filters import compile_filter

    rows = frame if spec.filter is None else frame.filter(compile_filter(spec.filter, schema))
    keys, values = _keys(spec, schema), _values(spec, schema)
    names = [f"#key:{place}" for place in range(len(keys))]
    table = rows.select(
        *(key.alias(name) for name, key in zip(names, keys, strict=True)),
        *(value.alias(f"#value:{place}") for place, value in values.items()),
    )
    several = [name for name in names if isinstance(table.schema[name], pl.List)]
    _check_combinations(table, several, spec)
    for name in several:
        table = table.explode(name)
    computed = [
        _computed(function, place, table).alias(f"#result:{place}") for place, function in enumerate(spec.functions)
    ]
    groups = table.drop_nulls(names).group_by(names).agg(pl.len().alias(_COUNT), *computed)
    largest = groups.sort(_COUNT, *names, descending=[True, *(False for _ in names)]).head(spec.max_group)
    shown = short_floats(largest.drop(_COUNT))
    return Aggregation(spec, tuple(_group(row, spec) for row in shown.rows()), groups.height)


def _check_combinations(table: pl.DataFrame, several: Sequence[str], spec: Aggregate) -> None:
    """Before they are made: one row with a hundred values has 10^8 of them under four such keys."""
    import polars as pl

    if len(several) < _MULTIPLYING:
        return
    # As doubles, which no product of four lengths overflows.
    each = [pl.col(name).list.len().cast(pl.Float64).fill_null(0).clip(lower_bound=1) for name in several]
    found = table.select(pl.reduce(lambda left, right: left * right, each).sum()).item()
    if found > MAX_COMBINATIONS:
        message = f"the keys' values make {found:.0f} combinations, the most is {MAX_COMBINATIONS}"
        raise RequestError(message, code=HaCode.AGGREGATE_CLAUSE, span=spec.span)


def _keys(spec: Aggregate, schema: TableSchema) -> list[pl.Expr]:
    """The keys as columns, a list where a field has several values; a range is the number of limits reached."""
    import polars as pl

    from engines.frames.arithmetic import compile_value
    from engines.frames.columns import DTYPES

    if not spec.ranges:
        return [_key(key, schema) for key in spec.keys]
    (key,) = spec.keys
    if _has_several(key, schema):
        reached = limits_reached(pl.element(), DTYPES[schema.fields[key.name].type], spec.ranges)
        return [pl.col(key.name).list.eval(reached).list.unique()]
    return [limits_reached(*compile_value(key, schema), spec.ranges)]


def _key(key: Operand, schema: TableSchema) -> pl.Expr:
    import polars as pl

    from engines.frames.arithmetic import compile_value

    if _has_several(key, schema):
        return pl.col(key.name).list.unique()
    return compile_value(key, schema)[0]


def _has_several(operand: Operand, schema: TableSchema) -> TypeGuard[Field]:
    return isinstance(operand, Field) and schema.fields[operand.name].multi_value


def _values(spec: Aggregate, schema: TableSchema) -> dict[int, pl.Expr]:
    """What functions compute from, by the function's place."""
    import polars as pl

    from engines.frames.arithmetic import compile_value

    found = {}
    for place, function in enumerate(spec.functions):
        if function.value is None:
            continue
        if _has_several(function.value, schema):
            found[place] = pl.col(function.value.name)
            continue
        value, dtype = compile_value(function.value, schema)
        if function.name == "sum" and not dtype.is_numeric():
            message = f"{operand_text(function.value)} is text: a sum is of numbers"
            raise RequestError(message, code=HaCode.AGG_FUN_EXPR_RESULT_TYPE, span=spec.span)
        # A sum of 64-bit integers fits 128 bits as long as there are fewer than 2^63 rows.
        found[place] = value.cast(pl.Int128) if dtype.is_integer() else value
    return found


def _computed(function: AggregateFunction, place: int, table: pl.DataFrame) -> pl.Expr:
    """One function over a group; the sum of reals is left to ``_result``, as a list."""
    import polars as pl

    if function.name == "count":
        return pl.len()
    value = pl.col(f"#value:{place}")
    # Of several values only distinct_count makes sense.
    several = isinstance(table.schema[f"#value:{place}"], pl.List)
    value = (value.explode() if several else value).drop_nulls()
    match function.name:
        case "max":
            return value.max()
        case "min":
            return value.min()
        case "distinct_count":
            return value.n_unique()
        case "sum" if table.schema[f"#value:{place}"].is_float():
            return value.implode()
        case "sum":
            return pl.when(value.len() > 0).then(value.sum())


def _group(row: tuple[Any, ...], spec: Aggregate) -> Group:
    keys, results = row[: len(spec.keys)], row[len(spec.keys) :]
    values = tuple(_result(result, function, spec) for result, function in zip(results, spec.functions, strict=True))
    if spec.ranges:
        return Group((_range_name(spec.ranges, keys[0]),), values)
    return Group(tuple(_plain(key) for key in keys), values)


def _result(result: Any, function: AggregateFunction, spec: Aggregate) -> Scalar | None:
    if not isinstance(result, list):
        return None if result is None else _plain(result)
    try:
        # Exact but for one rounding at the end, so that neither the order nor the threads show.
        return _plain(math.fsum(result)) if result else None
    except (OverflowError, ValueError):
        message = f"the sum of {function.value and operand_text(function.value)} is beyond DOUBLE"
        raise RequestError(message, code=HaCode.AGG_FUN_EXPR_RESULT_TYPE, span=spec.span) from None


def _plain(value: Scalar) -> Scalar:
    # Equal zeros have one form, whichever row came first.
    return value + 0.0 if isinstance(value, float) else value


def _range_name(ranges: Sequence[int | float], reached: int) -> str:
    """``a~b``; the first and the last are open, ``~a`` and ``c~`` (RangeAggregator.h puts the type's ends there)."""
    ends = ("", *ranges, "")
    return f"{ends[reached]}~{ends[reached + 1]}"
