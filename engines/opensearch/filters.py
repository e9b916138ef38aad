"""A filter becomes clauses of the query DSL, with the embedded engine's three-valued logic. Pure.

DSL knows two values, so every node is compiled for the truth that is asked of it: NOT asks its item to be false, a
comparison is false where the value is there and does not match, and a missing value is neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from engines.checks import DEEPEST, arithmetic_number, flipped, range_spec_of, require_operator, spec_of
from engines.opensearch import scripts
from engines.opensearch.comparisons import between, equals, ordered, present
from engines.opensearch.dsl import Clause, all_of, any_of, at_least, but_not, script
from engines.opensearch.mapping import internal
from engines.opensearch.operands import literal_beside, program
from engines.opensearch.texts import contains, match_words
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

if TYPE_CHECKING:
    from schemas.table import TableSchema

_SIGNS: Mapping[CompareOp, frozenset[int]] = {
    "=": frozenset({0}),
    "!=": frozenset({-1, 1}),
    "<": frozenset({-1}),
    "<=": frozenset({-1, 0}),
    ">": frozenset({1}),
    ">=": frozenset({0, 1}),
}


def compile_filter(expression: Expr, schema: TableSchema) -> Clause:
    """Raises RequestError for an unknown node, operator or field, and for types that do not compare."""
    return _compile(expression, schema, truth=True, depth=DEEPEST)


def _compile(node: Expr, schema: TableSchema, *, truth: bool, depth: int) -> Clause:
    if depth == 0:
        raise RequestError(f"filter is nested more than {DEEPEST} deep", code=HaCode.FILTER_CLAUSE)
    match node:
        case And(items) | Or(items) if items:
            joined = all_of if isinstance(node, And) == truth else any_of
            told = _telling(items) if isinstance(node, And) and truth else items
            return joined([_compile(item, schema, truth=truth, depth=depth - 1) for item in told])
        case AtLeast(items, count) if items:
            # An item that is missing does not hold: only what is true is counted.
            held = at_least([_compile(item, schema, truth=True, depth=depth - 1) for item in items], count)
            return _two_valued(held, truth=truth)
        case Not(item):
            return _compile(item, schema, truth=not truth, depth=depth - 1)
        case _:
            return _condition(node, schema, truth=truth)


def _condition(node: Expr, schema: TableSchema, *, truth: bool) -> Clause:
    match node:
        case Compare():
            require_operator(node.op)
            require_comparable(node, engine_rules(schema))
            return _compare(node, schema, truth=truth)
        case InPolygon():
            return _in_polygon(node, schema, truth=truth)
        case Exists(field):
            spec = spec_of(field, schema, any_key=True)
            return _two_valued(present(field, spec), truth=truth)
        case Match():
            return _two_valued(match_words(node, schema), truth=truth)
        case In() | Range() | Contains():
            return _wanted(node.field, schema, _of_field(node, schema), truth=truth)
        case _:
            raise RequestError(f"a filter node that this engine does not know: {node!r}", code=HaCode.FILTER_CLAUSE)


def _of_field(node: In | Range | Contains, schema: TableSchema) -> Clause:
    """Holds where the node is true."""
    match node:
        case In(field, literals):
            return equals(field, spec_of(field, schema), [literal.value for literal in literals])
        case Range():
            return between(node, range_spec_of(node, schema))
        case Contains():
            return contains(node, schema)


def _compare(node: Compare, schema: TableSchema, *, truth: bool) -> Clause:
    match node.left, node.right:
        case Field() as field, Literal(value):
            return _compare_field(field, node.op, value, schema, truth=truth)
        case Literal(), _:
            turned = Compare(flipped(node.op), node.right, node.left)
            return _compare(turned, schema, truth=truth)
        case _:
            return _compare_computed(node, schema, truth=truth)


def _compare_field(field: Field, op: CompareOp, value: Scalar, schema: TableSchema, *, truth: bool) -> Clause:
    spec = spec_of(field, schema)
    if op in ("=", "!="):
        return _wanted(field, schema, equals(field, spec, [value]), truth=(op == "=") == truth)
    return _wanted(field, schema, ordered(field, spec, op, value), truth=truth)


def _compare_computed(node: Compare, schema: TableSchema, *, truth: bool) -> Clause:
    left = program(node.left, schema)
    right = literal_beside(node.right.value, left) if isinstance(node.right, Literal) else program(node.right, schema)
    signs = _SIGNS[node.op] if truth else frozenset({-1, 0, 1}) - _SIGNS[node.op]
    params = {"left": left.steps, "right": right.steps, "signs": sorted(signs)}
    return script(scripts.COMPARE, params)


def _in_polygon(node: InPolygon, schema: TableSchema, *, truth: bool) -> Clause:
    require_polygon(node, engine_rules(schema))
    polygon = (
        internal("ordered", node.polygon.name)
        if isinstance(node.polygon, Field)
        else [float(arithmetic_number(corner.value)) for corner in node.polygon]
    )
    x, y = (program(side, schema).steps for side in (node.x, node.y))
    return script(scripts.IN_POLYGON, {"x": x, "y": y, "polygon": polygon, "edge": node.edge, "truth": truth})


def _wanted(field: Field, schema: TableSchema, clause: Clause, *, truth: bool) -> Clause:
    return clause if truth else but_not(present(field, spec_of(field, schema, any_key=True)), clause)


def _telling(items: Sequence[Expr]) -> Sequence[Expr]:
    """Without what others among them say, too: a cluster counts clauses, and what holds of a value has one."""
    held = {item.field for item in items if isinstance(item, In | Range | Contains)}
    held |= {item.left for item in items if isinstance(item, Compare) and isinstance(item.left, Field)}
    return [item for item in items if not (isinstance(item, Exists) and item.field in held)]


def _two_valued(clause: Clause, *, truth: bool) -> Clause:
    return clause if truth else {"bool": {"must_not": [clause]}}
