"""What becomes of a plan's pool, against the table's schema: sort keys, distinct, aggregates and variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from engines.checks import integer_of_64_bits
from havengate.bind_expr import attribute, bind_expr, bind_value, is_finite, several_values, value_spec
from havengate.bind_query import scored_terms
from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.types import (
    Aggregate,
    AggregateFunction,
    Arith,
    Call,
    Distinct,
    Expr,
    Field,
    Literal,
    Operand,
    SearchPlan,
    SortKey,
    Span,
    Variable,
    operand_text,
)
from schemas.table import TableSchema

MAX_AGGREGATES = 16
MAX_KEYS = 4
MAX_FUNCTIONS = 16
MAX_LIMITS = 100
MAX_GROUPS = 10_000
MAX_DISTINCTS = 2
MAX_VARIABLES = 256
MAX_DISTINCT = 2**31 - 1
"""The most that a distinct's count and times may be."""


def check_sort(plan: SearchPlan, schema: TableSchema) -> None:
    """Raises RequestError 1013 for the formula, 1031, 1032, 1054, 2000 to 2011 for a key."""
    if not plan.sort:
        raise RequestError("sort has no key", code=HaCode.SORT_NO_DESCRIPTION)
    seen: set[str | None] = set()
    for key in plan.sort:
        if key.by is not None and (spec := bind_value(key.by, schema, HaCode.SORT_CLAUSE)).multi_value:
            raise several_values(spec, key.span)
        name = None if key.by is None else operand_text(key.by)
        if name in seen:
            raise RequestError(f"{excerpt(name or 'RANK')} twice", code=HaCode.SORT_SAME_EXPRESSION, span=key.span)
        seen.add(name)
    formula = plan.rank.proxima_index
    if formula is not None and formula not in {term.index for term in scored_terms(plan.query)}:
        raise RequestError(
            f"proxima_score({formula}): no term that gives scores searches that index",
            code=HaCode.INDEX_NOT_EXIST,
            span=plan.rank.span,
        )


def bind_distincts(distincts: Sequence[Distinct], first: SortKey, schema: TableSchema) -> tuple[Distinct, ...]:
    """Raises RequestError 1055, 1070, 1071, 1075, 1076, 2000 to 2011."""
    if len(distincts) > MAX_DISTINCTS:
        message = f"{len(distincts)} distincts, the most is {MAX_DISTINCTS}"
        raise RequestError(message, code=HaCode.DISTINCT_DESC_COUNT, span=distincts[-1].span)
    return tuple(_bind_distinct(distinct, first, schema) for distinct in distincts)


def _bind_distinct(distinct: Distinct, first: SortKey, schema: TableSchema) -> Distinct:
    spec = bind_value(distinct.key, schema, HaCode.DISTINCT_CLAUSE)
    if spec.multi_value:
        raise several_values(spec, distinct.span)
    for name, value, code in (
        ("times", distinct.times, HaCode.DISTINCT_TIMES),
        ("count", distinct.count, HaCode.DISTINCT_COUNT),
    ):
        if not 1 <= value <= MAX_DISTINCT:
            message = f"{name} is {excerpt(str(value))}, it must be 1 to {MAX_DISTINCT}"
            raise RequestError(message, code=code, span=distinct.span)
    if distinct.grades:
        _check_limits(distinct.grades, "grades", HaCode.DISTINCT_GRADE, distinct.span)
        if first.by is not None and not bind_value(first.by, schema, HaCode.SORT_CLAUSE).type.is_number:
            message = f"grades are limits of the first sort key, and {operand_text(first.by)!r} is no number"
            raise RequestError(message, code=HaCode.DISTINCT_GRADE, span=distinct.span)
    bound = None if distinct.filter is None else bind_expr(distinct.filter, schema)
    return replace(distinct, filter=bound)


def bind_aggregates(aggregates: Sequence[Aggregate], schema: TableSchema) -> tuple[Aggregate, ...]:
    """Raises RequestError 1040, 1041, 1042, 1053, 2000 to 2011."""
    _check_number(len(aggregates), MAX_AGGREGATES, "aggregates", None)
    return tuple(_bind_aggregate(aggregate, schema) for aggregate in aggregates)


def _bind_aggregate(aggregate: Aggregate, schema: TableSchema) -> Aggregate:
    span = aggregate.span
    _check_number(len(aggregate.keys), MAX_KEYS, "keys", span, least=1)
    _check_number(len(aggregate.functions), MAX_FUNCTIONS, "functions", span, least=1)
    _check_number(aggregate.max_group, MAX_GROUPS, "max_group", span, least=1)
    keys = [bind_value(key, schema, HaCode.AGGREGATE_CLAUSE) for key in aggregate.keys]
    for function in aggregate.functions:
        _check_function(function, schema, span)
    if aggregate.ranges:
        _check_limits(aggregate.ranges, "ranges", HaCode.AGG_RANGE_ORDER, span)
        if len(keys) > 1 or not keys[0].type.is_number:
            message = f"ranges group by numbers of one key, not by {_listed(aggregate.keys)}"
            raise RequestError(message, code=HaCode.AGG_RANGE_TYPE, span=span)
    bound = None if aggregate.filter is None else bind_expr(aggregate.filter, schema)
    return replace(aggregate, filter=bound)


def _check_function(function: AggregateFunction, schema: TableSchema, span: Span | None) -> None:
    if function.name == "count" or function.value is None:
        if function.name == "count" and function.value is None:
            return
        message = f"{function.name} takes {'no value' if function.name == 'count' else 'a value'}"
        raise RequestError(message, code=HaCode.AGGREGATE_CLAUSE, span=span)
    spec = bind_value(function.value, schema, HaCode.AGGREGATE_CLAUSE)
    if spec.multi_value and function.name != "distinct_count":
        raise several_values(spec, function.value.span)
    if function.name == "sum" and not spec.type.is_number:
        message = f"field {spec.name!r} is {spec.type}: a sum is of numbers"
        raise RequestError(message, code=HaCode.AGG_FUN_EXPR_RESULT_TYPE, span=function.value.span)


def bind_variables(variables: Sequence[Variable], schema: TableSchema) -> tuple[Variable, ...]:
    """Raises RequestError 2070 for a name, 2000 to 2011 for a value."""
    if len(variables) > MAX_VARIABLES:
        message = f"{len(variables)} variables, the most is {MAX_VARIABLES}"
        raise RequestError(message, code=HaCode.VIRTUALATTRIBUTE_CLAUSE, span=variables[-1].span)
    seen: set[str] = set()
    for variable in variables:
        taken = "is a field" if variable.name in schema.fields else "stands twice" if variable.name in seen else None
        if taken is not None:
            message = f"the variable {excerpt(variable.name)!r} {taken}"
            raise RequestError(message, code=HaCode.VIRTUALATTRIBUTE_CLAUSE, span=variable.span)
        seen.add(variable.name)
    return tuple(replace(variable, value=_bind_variable(variable.value, schema)) for variable in variables)


def _bind_variable(value: Operand | Expr, schema: TableSchema) -> Operand | Expr:
    """Beside what is computed a whole field: a multi-value one, a MAP or a key of it."""
    match value:
        case Field():
            attribute(value, schema, whole_map=True)
        case Literal(constant) if not isinstance(constant, str) and not is_finite(constant):
            raise RequestError(f"{constant} is no finite number", code=HaCode.CONST_EXPRESSION_VALUE, span=value.span)
        case Literal(constant):
            integer_of_64_bits(constant, value.span)
        case Arith() | Call():
            value_spec(value, schema)
        case _:
            return bind_expr(value, schema)
    return value


def _check_number(found: int, most: int, what: str, span: Span | None, *, least: int = 0) -> None:
    if not least <= found <= most:
        message = f"{what}: {excerpt(str(found))}, there may be {least} to {most}"
        raise RequestError(message, code=HaCode.AGGREGATE_CLAUSE, span=span)


def _check_limits(limits: Sequence[float], what: str, code: HaCode, span: Span | None) -> None:
    if len(limits) > MAX_LIMITS:
        raise RequestError(f"{len(limits)} {what}, the most is {MAX_LIMITS}", code=code, span=span)
    if not all(map(is_finite, limits)):
        raise RequestError(f"{what} are finite numbers", code=code, span=span)
    if any(left >= right for left, right in pairwise(limits)):
        raise RequestError(f"{what} must ascend", code=code, span=span)


def _listed(operands: Sequence[Operand]) -> str:
    return excerpt(", ".join(map(operand_text, operands)))
