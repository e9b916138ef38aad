"""A filter becomes a polars expression in three-valued logic: true, false, or null where a value is missing.

- A multi-value field or a key of a MAP matches when any of its values does; ``!=`` is the negation of ``=``:
  no value may be equal. An empty list has no value, so it counts as missing.
- Inside a MAP, text compares with text and numbers with numbers; a value of the other kind never matches.
- Numbers compare exactly whatever their widths. A literal beside a FLOAT or DOUBLE field is rounded to the
  field's type first, so that ``price=0.1`` finds the 0.1 that was stored; one beside a MAP, which has no such
  type, is not.
- Text compares by code point.
- Arithmetic and functions compare as their results do: exactly where these are integers, a literal beside a DOUBLE
  or FLOAT rounded to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from engines.checks import (
    DEEPEST,
    arithmetic_number,
    contains_spec_of,
    flipped,
    match_spec_of,
    range_spec_of,
    require_literal,
    require_operator,
    rounded,
    spec_of,
)
from engines.frames.arithmetic import compile_double, compile_value
from engines.frames.columns import DTYPES, WORDS
from engines.frames.comparisons import compare_columns, compare_literal, in_literals, where_present
from engines.frames.polygons import in_polygon
from engines.frames.words import needle, phrases
from engines.operand_types import engine_rules, require_comparable, require_polygon
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import (
    And,
    AtLeast,
    Compare,
    CompareOp,
    Contains,
    Exists,
    Expr,
    Field,
    In,
    InPolygon,
    Literal,
    Match,
    Not,
    Or,
    Range,
    Scalar,
)
from schemas.table import FieldType, TableSchema

Test = Callable[[pl.Expr, pl.DataType, Sequence[Scalar]], pl.Expr]
"""A column of single values, their type and the literals -> Boolean, null where the value is missing."""


def compile_filter(expression: Expr, schema: TableSchema) -> pl.Expr:
    """A Boolean column without nulls over a frame of the schema's attribute columns and their words.

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
        case AtLeast(items, count) if items:
            held = [_compile(item, schema, depth - 1).fill_null(value=False).cast(pl.Int32) for item in items]
            return pl.sum_horizontal(held) >= count
        case Not(item):
            return ~_compile(item, schema, depth - 1)
        case _:
            return _condition(node, schema)


def _condition(node: Expr, schema: TableSchema) -> pl.Expr:
    match node:
        case Compare():
            require_operator(node.op)
            require_comparable(node, engine_rules(schema))
            return _compare(node, schema)
        case Exists(field):
            return _exists(field, schema)
        case In() | Range() | Contains():
            return _of_values(node, schema)
        case Match():
            return _match(node, schema)
        case InPolygon():
            return _in_polygon(node, schema)
        case _:
            raise RequestError(f"a filter node that this engine does not know: {node!r}", code=HaCode.FILTER_CLAUSE)


def _of_values(node: In | Range | Contains, schema: TableSchema) -> pl.Expr:
    match node:
        case In(field, literals):
            return _matches(field, schema, in_literals, [literal.value for literal in literals])
        case Range():
            return _between(node, schema)
        case Contains():
            return _contains(node, schema)


def _compare(node: Compare, schema: TableSchema) -> pl.Expr:
    match node.left, node.right:
        case Field() as field, Literal(value):
            return _compare_field(node.op, field, value, schema)
        case Literal(), _:
            return _compare(Compare(flipped(node.op), node.right, node.left), schema)
        case _, Literal(value):
            column, dtype = compile_value(node.left, schema)
            return _negated(node.op, lambda op: compare_literal(column, dtype, op, _fitted(value, dtype)))
        case _:
            return compare_columns(*compile_value(node.left, schema), node.op, *compile_value(node.right, schema))


def _compare_field(op: CompareOp, field: Field, value: Scalar, schema: TableSchema) -> pl.Expr:
    def compared(op: CompareOp) -> pl.Expr:
        def test(column: pl.Expr, dtype: pl.DataType, values: Sequence[Scalar]) -> pl.Expr:
            # A MAP's column of the other kind gets no literal to compare with.
            return compare_literal(column, dtype, op, values[0]) if values else pl.lit(value=False)

        return _matches(field, schema, test, [value])

    return _negated(op, compared)


def _negated(op: CompareOp, compared: Callable[[CompareOp], pl.Expr]) -> pl.Expr:
    """``!=`` is what ``=`` is not."""
    return ~compared("=") if op == "!=" else compared(op)


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


def _between(node: Range, schema: TableSchema) -> pl.Expr:
    range_spec_of(node, schema)
    low: CompareOp = ">=" if node.include_low else ">"
    high: CompareOp = "<=" if node.include_high else "<"
    bounds = [(op, bound.value) for op, bound in ((low, node.low), (high, node.high)) if bound is not None]

    def test(column: pl.Expr, dtype: pl.DataType, values: Sequence[Scalar]) -> pl.Expr:
        sides = [compare_literal(column, dtype, op, value) for (op, _), value in zip(bounds, values, strict=True)]
        return pl.all_horizontal(sides) if sides else where_present(column, truth=True)

    return _matches(node.field, schema, test, [value for _, value in bounds])


def _contains(node: Contains, schema: TableSchema) -> pl.Expr:
    spec, value = contains_spec_of(node, schema), node.value.value
    equal = _compare_field("=", node.field, value, schema)
    if spec.multi_value or not isinstance(value, str):
        return equal
    column = pl.col(node.field.name)
    if spec.type is not FieldType.MAP:
        return _inside(column, value)
    entry = pl.element().struct
    found = (
        (entry.field("key") == pl.lit(str(node.field.path)))
        & ~entry.field("listed")
        & _inside(entry.field("text"), value).fill_null(value=False)
    )
    return equal | column.list.eval(found).list.any()


def _inside(column: pl.Expr, text: str) -> pl.Expr:
    return column.str.contains(pl.lit(text, dtype=pl.String), literal=True)


def _exists(field: Field, schema: TableSchema) -> pl.Expr:
    spec = spec_of(field, schema, any_key=True)
    column = pl.col(field.name)
    if field.path is not None:
        of_key = pl.element().struct.field("key") == pl.lit(field.path)
        return column.list.eval(of_key).list.any().fill_null(value=False)
    if spec.multi_value or spec.type is FieldType.MAP:
        return (column.list.len() > 0).fill_null(value=False)
    return column.is_not_null()


def _match(node: Match, schema: TableSchema) -> pl.Expr:
    match_spec_of(node, schema)
    column = pl.col(WORDS + node.field.name)
    sought = [_inside(column, needle(phrase)) for phrase in phrases(node.text, node.phrase)]
    # A text without words is found nowhere.
    found = pl.all_horizontal(sought) if sought else where_present(column, truth=False)
    return found.fill_null(value=False)


def _in_polygon(node: InPolygon, schema: TableSchema) -> pl.Expr:
    require_polygon(node, engine_rules(schema))
    x, y = (compile_double(side, schema) for side in (node.x, node.y))
    if isinstance(node.polygon, Field):
        kind = schema.fields[node.polygon.name].type
        signed = pl.Float64() if not kind.is_integer else pl.Int64()
        column = pl.col(node.polygon.name).cast(pl.List(signed), wrap_numerical=True).cast(pl.List(pl.Float64))
        return in_polygon(x, y, column, edge=node.edge)
    return in_polygon(x, y, [float(arithmetic_number(corner.value)) for corner in node.polygon], edge=node.edge)
