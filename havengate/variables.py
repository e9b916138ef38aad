"""The values that a plan computes for every row of the page. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from havengate.types import Arith, Call, Expr, Field, Literal, Operand, Value, Variable

if TYPE_CHECKING:
    import polars as pl

    from schemas.table import TableSchema

_COLUMN = "#variable"


def variable_values(
    shown: pl.DataFrame, fields: Sequence[Mapping[str, Value]], variables: Sequence[Variable], schema: TableSchema
) -> list[dict[str, Value]]:
    """By row of a page, what has a value; ``fields`` are the rows' stored fields, in the order of the frame.

    A condition is 1 where it holds, else 0. Raises RequestError as engines.frames does.
    """
    columns = {variable.name: _values(shown, fields, variable.value, schema) for variable in variables}
    return [
        {name: values[row] for name, values in columns.items() if values[row] is not None} for row in range(len(fields))
    ]


def is_stored(value: Operand | Expr) -> bool:
    """Whether a value stands in the row as it is, so that no column is needed to compute it."""
    return isinstance(value, Field)


def _values(
    shown: pl.DataFrame, fields: Sequence[Mapping[str, Value]], value: Operand | Expr, schema: TableSchema
) -> list[Any]:
    from engines.frames.arithmetic import compile_value
    from engines.frames.columns import short_floats
    from engines.frames.filters import compile_filter

    match value:
        case Field():
            return [_stored(row, value) for row in fields]
        case Literal(constant):
            return [constant] * len(fields)
        case Arith() | Call():
            column = compile_value(value, schema)[0]
        case _:
            column = compile_filter(value, schema).cast(int)
    # A column without a field in it has one row unless it stands beside others.
    computed = shown.with_columns(column.alias(_COLUMN)).select(_COLUMN)
    return short_floats(computed)[_COLUMN].to_list()


def _stored(row: Mapping[str, Value], field: Field) -> Value | None:
    held = row.get(field.name)
    return held.get(field.path) if field.path is not None and isinstance(held, dict) else held
