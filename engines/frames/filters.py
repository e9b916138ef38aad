"""A filter becomes a polars expression in three-valued logic: true, false, or null where a value is missing.

- A multi-value field or a key of a MAP matches when any of its values does; ``!=`` is the negation of ``=``:
  no value may be equal. An empty list has no value, so it counts as missing.
- Inside a MAP, text compares with text and numbers with numbers; a value of the other kind never matches.
- Numbers compare exactly whatever their widths. A literal beside a FLOAT or DOUBLE field is rounded to the
  field's type first, so that ``price=0.1`` finds the 0.1 that was stored; one beside a MAP, which has no such
  type, is not.
- Text compares by code point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from engines.checks import DEEPEST, require_literal, require_operator, rounded, single_spec_of, spec_of
from engines.frames.columns import DTYPES
from engines.frames.comparisons import compare_columns, compare_literal, flipped, in_literals
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import And, Compare, CompareOp, Expr, Field, In, Literal, Not, Operand, Or, Scalar
from schemas.table import FieldType, TableSchema

Test = Callable[[pl.Expr, pl.DataType, Sequence[Scalar]], pl.Expr]
"""A column of single values, their type and the literals -> Boolean, null where the value is missing."""


def compile_filter(expression: Expr, schema: TableSchema) -> pl.Expr:
    """A Boolean column without nulls over a frame of the schema's attribute columns.

    Raises RequestError for an unknown node, operator or field, and for types that do not compare.
    """
    return _compile(expression, schema, DEEPEST).fill_null(value=False)


def _compile(node: Expr, schema: TableSchema, depth: int) -> pl.Expr:
    if depth == 0:
        raise RequestError(f"filter is nested more than {DEEPEST} deep", code=HaCode.FILTER_CLAUSE)
    match node:
        case And(items) if items:
            return pl.all_horizontal([_compile(item, schema, depth - 1) for item in items])
        case Or(items) if items:
            return pl.any_horizontal([_compile(item, schema, depth - 1) for item in items])
        case Not(item):
            return ~_compile(item, schema, depth - 1)
        case Compare(op, left, right):
            require_operator(op)
            return _compare(op, left, right, schema)
        case In(field, literals):
            return _matches(field, schema, in_literals, [literal.value for literal in literals])
        case _:
            raise RequestError(f"a filter node that this engine does not know: {node!r}", code=HaCode.FILTER_CLAUSE)


def _compare(op: CompareOp, left: Operand, right: Operand, schema: TableSchema) -> pl.Expr:
    match left, right:
        case Field(), Literal():
            return _compare_field(op, left, right.value, schema)
        case Literal(), Field():
            return _compare_field(flipped(op), right, left.value, schema)
        case Field(), Field():
            return compare_columns(*_single(left, schema), op, *_single(right, schema))
        case _:
            raise RequestError("neither side is a field", code=HaCode.EXPRESSION_LR_ALL_CONST_VALUE)


def _compare_field(op: CompareOp, field: Field, value: Scalar, schema: TableSchema) -> pl.Expr:
    if op == "!=":
        return ~_compare_field("=", field, value, schema)

    def test(column: pl.Expr, dtype: pl.DataType, values: Sequence[Scalar]) -> pl.Expr:
        # A MAP's column of the other kind gets no literal to compare with.
        return compare_literal(column, dtype, op, values[0]) if values else pl.lit(value=False)

    return _matches(field, schema, test, [value])


def _matches(field: Field, schema: TableSchema, test: Test, values: Sequence[Scalar]) -> pl.Expr:
    spec = spec_of(field, schema)
    column = pl.col(field.name)
    for value in values:
        require_literal(value)
    if spec.type is FieldType.MAP:
        return _any_entry(column, str(field.path), test, values)
    dtype = DTYPES[spec.type]
    values = [_fitted(value, dtype) for value in values]
    if not spec.multi_value:
        return test(column, dtype, values)
    found = column.list.eval(test(pl.element(), dtype, values)).list.any()
    return pl.when(column.list.len() > 0).then(found)


def _fitted(value: Scalar, dtype: pl.DataType) -> Scalar:
    return value if isinstance(value, str) or not dtype.is_float() else rounded(value, single=dtype == pl.Float32)


def _any_entry(column: pl.Expr, key: str, test: Test, values: Sequence[Scalar]) -> pl.Expr:
    entry = pl.element().struct
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if not isinstance(value, str)]
    fits = pl.any_horizontal(
        test(entry.field("text"), pl.String(), texts),
        test(entry.field("integer"), pl.Int128(), numbers),
        test(entry.field("real"), pl.Float64(), numbers),
    ).fill_null(value=False)
    of_key = entry.field("key") == pl.lit(key)
    return pl.when(column.list.eval(of_key).list.any()).then(column.list.eval(of_key & fits).list.any())


def _single(field: Field, schema: TableSchema) -> tuple[pl.Expr, pl.DataType]:
    return pl.col(field.name), DTYPES[single_spec_of(field, schema).type]
