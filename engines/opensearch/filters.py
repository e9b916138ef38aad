"""A filter becomes clauses of the query DSL, with the embedded engine's three-valued logic. Pure.

DSL knows two values, so every node is compiled for the truth that is asked of it: NOT asks its item to be false, a
comparison is false where the value is there and does not match, and a missing value is neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from engines.checks import DEEPEST, require_operator, single_spec_of, spec_of
from engines.opensearch import scripts
from engines.opensearch.comparisons import equals, ordered, path, present
from engines.opensearch.dsl import Clause, all_of, any_of, but_not
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import And, Compare, CompareOp, Expr, Field, In, Literal, Not, Or, Scalar

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
_FLIPS: Mapping[CompareOp, CompareOp] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def compile_filter(expression: Expr, schema: TableSchema) -> Clause:
    """Raises RequestError for an unknown node, operator or field, and for types that do not compare."""
    return _compile(expression, schema, truth=True, depth=DEEPEST)


def _compile(node: Expr, schema: TableSchema, *, truth: bool, depth: int) -> Clause:
    if depth == 0:
        raise RequestError(f"filter is nested more than {DEEPEST} deep", code=HaCode.FILTER_CLAUSE)
    match node:
        case And(items) | Or(items) if items:
            joined = all_of if isinstance(node, And) == truth else any_of
            return joined([_compile(item, schema, truth=truth, depth=depth - 1) for item in items])
        case Not(item):
            return _compile(item, schema, truth=not truth, depth=depth - 1)
        case Compare():
            require_operator(node.op)
            return _compare(node, schema, truth=truth)
        case In(field, literals):
            clause = equals(field, spec_of(field, schema), [literal.value for literal in literals])
            return _wanted(field, clause, truth=truth)
        case _:
            raise RequestError(f"a filter node that this engine does not know: {node!r}", code=HaCode.FILTER_CLAUSE)


def _compare(node: Compare, schema: TableSchema, *, truth: bool) -> Clause:
    match node.left, node.right:
        case Field() as field, Literal(value):
            return _compare_field(field, node.op, value, schema, truth=truth)
        case Literal(value), Field() as field:
            return _compare_field(field, _FLIPS.get(node.op, node.op), value, schema, truth=truth)
        case Field() as left, Field() as right:
            return _compare_fields(left, node.op, right, schema, truth=truth)
        case _:
            raise RequestError("neither side is a field", code=HaCode.EXPRESSION_LR_ALL_CONST_VALUE)


def _compare_field(field: Field, op: CompareOp, value: Scalar, schema: TableSchema, *, truth: bool) -> Clause:
    spec = spec_of(field, schema)
    if op in ("=", "!="):
        return _wanted(field, equals(field, spec, [value]), truth=(op == "=") == truth)
    return _wanted(field, ordered(field, spec, op, value), truth=truth)


def _wanted(field: Field, clause: Clause, *, truth: bool) -> Clause:
    return clause if truth else but_not(present(field), clause)


def _compare_fields(left: Field, op: CompareOp, right: Field, schema: TableSchema, *, truth: bool) -> Clause:
    kinds = single_spec_of(left, schema).type, single_spec_of(right, schema).type
    if kinds[0].is_string != kinds[1].is_string:
        raise RequestError("text compared with a number", code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH)
    signs = _SIGNS[op] if truth else frozenset({-1, 0, 1}) - _SIGNS[op]
    script = {
        "lang": "painless",
        "source": scripts.TEXTS if kinds[0].is_string else scripts.NUMBERS,
        "params": {"left": path(left), "right": path(right), "signs": sorted(signs)},
    }
    return {"script": {"script": script}}
