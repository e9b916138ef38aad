"""What becomes of the rows: sort, distinct and aggregate clauses as the plan has them."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import (
    DEFAULT_SORT,
    Aggregate,
    AggregateFunction,
    Distinct,
    SortKey,
    operand_text,
)
from query_parser.clause_nodes import AggregateCall, AggregateItem, DistinctItem, RankSort
from query_parser.nodes import SortItem
from query_parser.plan_expr import Expressions
from query_parser.show_expr import expr_text

MAX_GROUPS = 10_000
"""As many as havengate.bind lets pass; the engine takes any number."""
_USUAL_GROUPS = 1000
_MOST_DISTINCTS = 2


def plan_sort(items: tuple[SortItem, ...], expressions: Expressions) -> tuple[SortKey, ...]:
    """Raises RequestError 1030 for a condition, 1032 for a key twice, and what an expression may raise.

    Two names for one value are two keys to the engine; the second sorts nothing and goes.
    """
    keys: dict[str | None, SortKey] = {}
    written: set[str | None] = set()
    for item in items:
        text = None if item.expr is None else expr_text(item.expr)
        code = HaCode.SORT_EXPRESSION_TYPE_BOOL
        by = None if item.expr is None else expressions.value(item.expr, code)
        if text in written:
            message = f"sort names {text or 'RANK'} twice"
            raise RequestError(message, code=HaCode.SORT_SAME_EXPRESSION, span=item.span)
        written.add(text)
        keys.setdefault(None if by is None else operand_text(by), SortKey(by, item.descending, item.span))
    return tuple(keys.values()) or DEFAULT_SORT


def plan_rounds(rounds: tuple[RankSort, ...], expressions: Expressions) -> tuple[SortKey, ...]:
    """Every key of the rank_sort clause, once. Raises as plan_sort does."""
    keys = [key for each in rounds for key in plan_sort(each.items, expressions)]
    return tuple({None if key.by is None else operand_text(key.by): key for key in keys}.values())


def plan_distinct(items: tuple[DistinctItem | None, ...], expressions: Expressions) -> tuple[Distinct, ...]:
    """Raises RequestError 1074 for a condition, 1076 for more than two or nothing but none_dist, 1020 for filters."""
    found = tuple(_distinct(item, expressions) for item in items if item is not None)
    if items and not (found and len(items) <= _MOST_DISTINCTS):
        message = f"distinct takes one or two descriptions, not {len(found) and len(items)}"
        span = found[-1].span if found else None
        raise RequestError(message, code=HaCode.DISTINCT_DESC_COUNT, span=span)
    return found


def _distinct(item: DistinctItem, expressions: Expressions) -> Distinct:
    if item.max_item_count:
        expressions.scope.notes.append("distinct max_item_count has no effect here")
    if item.module is not None:
        expressions.scope.notes.append("distinct dbmodule has no effect here")
    return Distinct(
        key=expressions.value(item.key, HaCode.DISTINCT_EXPRESSION_TYPE_BOOL),
        count=item.count,
        times=item.times,
        reserved=item.reserved,
        filter=None if item.filter is None else expressions.condition(item.filter),
        update_total=item.update_total_hit,
        grades=tuple(dict.fromkeys(item.grades)),
        span=item.span,
    )


def plan_aggregates(items: tuple[AggregateItem, ...], expressions: Expressions) -> tuple[Aggregate, ...]:
    """Raises RequestError 1040 for a condition, 1020 for a filter that is none, and what an expression may raise."""
    return tuple(_aggregate(item, expressions) for item in items)


def _aggregate(item: AggregateItem, expressions: Expressions) -> Aggregate:
    if item.sampler_threshold is not None or item.sampler_step is not None:
        expressions.scope.notes.append("aggregates look at every row: agg_sampler_* has no effect here")
    keys = tuple(expressions.value(key, HaCode.AGG_FUN_EXPR_RESULT_TYPE) for key in item.keys)
    functions = tuple(_function(call, expressions) for call in item.calls)
    condition = None if item.filter is None else expressions.condition(item.filter)
    most = _max_group(item.max_group, expressions)
    return Aggregate(keys, functions, item.ranges, condition, most, item.span)


def _function(call: AggregateCall, expressions: Expressions) -> AggregateFunction:
    value = None if call.value is None else expressions.value(call.value, HaCode.AGG_FUN_EXPR_RESULT_TYPE)
    return AggregateFunction(call.name, value)


def _max_group(given: int | None, expressions: Expressions) -> int:
    if given is None or given < 1:
        return _USUAL_GROUPS
    if given > MAX_GROUPS:
        expressions.scope.notes.append(f"max_group {given} is more than {MAX_GROUPS}, which are returned at most")
    return min(given, MAX_GROUPS)
