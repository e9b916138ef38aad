"""A plan against its table's schema: names exist, types agree, literals take their field's type.

Every dialect's plan passes through here once; engines rely on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from havengate.bind_expr import bind_expr
from havengate.bind_pool import bind_aggregates, bind_distincts, bind_variables, check_sort
from havengate.bind_query import MAX_TERMS, MAX_VECTORS, category_filter, check_query, vector_terms
from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.types import And, Arith, AtLeast, Call, Compare, Expr, In, InPolygon, Not, Operand, Or, SearchPlan
from schemas.table import TableSchema

__all__ = ["MAX_CONDITIONS", "MAX_TERMS", "MAX_VECTORS", "bind", "bind_expr", "category_filter", "vector_terms"]

MAX_CONDITIONS = 20_000


def bind(plan: SearchPlan, schema: TableSchema, *, window: int) -> SearchPlan:
    """The plan with every literal typed. Raises RequestError (1005 to 1076, 2000 to 2101) with the part's span."""
    if plan.offset < 0 or plan.limit < 0 or plan.offset + plan.limit > window:
        raise RequestError(
            f"start {excerpt(str(plan.offset))} + hit {excerpt(str(plan.limit))} is outside 0 to {window}",
            code=HaCode.OVER_RETURN_HITS_LIMIT,
        )
    if plan.timeout_s is not None and not (math.isfinite(plan.timeout_s) and plan.timeout_s > 0):
        message = f"a timeout is a finite number of seconds above 0, not {plan.timeout_s}"
        raise RequestError(message, code=HaCode.CONFIG_CLAUSE_TIMEOUT)
    # In the order in which the HA3 engine judges the clauses of a request: the first that is wrong is named.
    check_query(plan.query, schema)
    _check_size(plan)
    condition = None if plan.filter is None else bind_expr(plan.filter, schema)
    check_sort(plan, schema)
    distinct = bind_distincts(plan.distinct, plan.sort[0], schema)
    aggregates = bind_aggregates(plan.aggregates, schema)
    _check_output(plan, schema)
    variables = bind_variables(plan.variables, schema)
    return replace(plan, filter=condition, distinct=distinct, aggregates=aggregates, variables=variables)


def _check_size(plan: SearchPlan) -> None:
    level, count = list(_roots(plan)), 0
    while level:
        count += len(level)
        if count > MAX_CONDITIONS:
            message = f"the plan's conditions and expressions have more than {MAX_CONDITIONS} parts"
            raise RequestError(message, code=HaCode.FILTER_CLAUSE)
        level = [part for item in level for part in _parts(item)]


def _roots(plan: SearchPlan) -> Iterator[Expr | Operand]:
    """Every condition and operand of the plan."""
    yield from (expr for expr in _conditions(plan) if expr is not None)
    yield from (key.by for key in plan.sort if key.by is not None)
    yield from (distinct.key for distinct in plan.distinct)
    for aggregate in plan.aggregates:
        yield from aggregate.keys
        yield from (function.value for function in aggregate.functions if function.value is not None)
    yield from (variable.value for variable in plan.variables)


def _conditions(plan: SearchPlan) -> Iterator[Expr | None]:
    yield plan.filter
    yield from (distinct.filter for distinct in plan.distinct)
    yield from (aggregate.filter for aggregate in plan.aggregates)


def _parts(part: Expr | Operand) -> tuple[Expr | Operand, ...]:
    match part:
        case And(items) | Or(items) | AtLeast(items) | In(_, items) | Call(_, items):
            return items
        case Not(item):
            return (item,)
        case Compare(_, left, right):
            return tuple(side for side in (left, right) if isinstance(side, Arith | Call))
        case Arith(_, left, right):
            return (left, right)
        case InPolygon(x, y, polygon):
            return (x, y, *(polygon if isinstance(polygon, tuple) else ()))
        case _:
            return ()


def _check_output(plan: SearchPlan, schema: TableSchema) -> None:
    for name in plan.output_fields or ():
        if name not in schema.fields:
            raise RequestError(
                f"no field {name!r}; the table has: {', '.join(schema.fields)}", code=HaCode.ATTRIBUTE_NOT_EXIST
            )
