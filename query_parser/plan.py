"""HaRequest and the table it names to SearchPlan. Types of expressions are havengate.bind's.

What is wrong comes up in the order of the engine (havenask v0.3.0, ha3/qrs: RequestValidateProcessor.cpp,
RequestValidator.cpp), once the whole request has the right syntax.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import And, BoolNode, Compare, Distinct, Expr, Field, Literal, SearchPlan, Span
from query_parser.nodes import Remark
from query_parser.plan_attributes import define_all, output_fields, variables
from query_parser.plan_expr import Expressions
from query_parser.plan_functions import Scope
from query_parser.plan_notes import idle_parts, reordering_parts
from query_parser.plan_pool import plan_aggregates, plan_distinct, plan_sort
from query_parser.plan_query import QueryPlanner
from query_parser.plan_rank import filter_mode, plan_rank
from query_parser.plan_terms import Indexes
from query_parser.request import HaRequest
from schemas.settings import TableSettings
from schemas.table import TableSchema

_BEFORE_CONFIG = (HaCode.NO_QUERY_CLAUSE, HaCode.INDEX_NOT_EXIST)
"""The engine cuts the query into words before it validates anything else."""
_MILLISECONDS = 1000
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")


class Table(Protocol):
    """What a plan needs to know of a table."""

    @property
    def name(self) -> str: ...
    @property
    def schema(self) -> TableSchema: ...
    @property
    def settings(self) -> TableSettings: ...


class Resolve(Protocol):
    """Finds the table that a cluster name means, None being no name at all. Raises UnknownTable."""

    def __call__(self, cluster: str | None, span: Span | None) -> Table: ...


def plan_request(
    request: HaRequest,
    resolve: Resolve,
    *,
    index_aliases: frozenset[str],
    window: int,
    clock: Callable[[], float] = time.time,
) -> SearchPlan:
    """The search that a request asks for; ``window`` is the most that start + hit may be, ``clock`` gives seconds.

    Raises UnknownTable from ``resolve``, and RequestError with the engine's code and the span of what is wrong. Under
    a strict table the first thing that the engine drops is an error, too.
    """
    table = _table(request, resolve)
    schema, config = table.schema, request.config
    indexes = Indexes(schema, index_aliases)
    planner = QueryPlanner(request, indexes, table.settings)
    query = _query(request, planner, window)
    scope = Scope(schema, request.kvpairs, clock)
    expressions = Expressions(scope)
    define_all(request.virtual_attributes, expressions)
    plan = SearchPlan(
        table=table.name,
        query=query,
        filter=None if request.filter is None else expressions.condition(request.filter),
        sort=plan_sort(request.sort, expressions),
        distinct=_distinct(request, expressions),
        aggregates=plan_aggregates(request.aggregates, expressions),
        output_fields=output_fields(request.attributes, expressions),
        variables=variables(request.attributes, expressions),
        offset=config.start,
        limit=config.hit,
        timeout_s=config.number("timeout", 0) / _MILLISECONDS or None,
        filter_mode=filter_mode(request),
        rank=plan_rank(request, indexes),
    )
    return replace(
        plan,
        filter=_with_key(plan.filter, request, schema),
        warnings=(*_warnings((*request.remarks, *planner.remarks), table.settings), *reordering_parts(request)),
        notes=tuple(dict.fromkeys((*idle_parts(request), *planner.notes, *scope.notes))),
    )


def _table(request: HaRequest, resolve: Resolve) -> Table:
    if not request.clusters:
        return resolve(None, None)
    first, *others = request.clusters
    table = resolve(first.text, first.span)
    for other in others:
        if resolve(other.text, other.span).name != table.name:
            message = f"one search has one table; {first.text} and {other.text} are two"
            raise RequestError(message, code=HaCode.MULTI_CLUSTERNAME_WITH_DIFFERENT_TABLE, span=other.span)
    return table


def _query(request: HaRequest, planner: QueryPlanner, window: int) -> BoolNode:
    try:
        query = planner.plan()
    except RequestError as error:
        if error.code not in _BEFORE_CONFIG:
            _check_config(request, window)
        raise
    _check_config(request, window)
    return query


def _check_config(request: HaRequest, window: int) -> None:
    config = request.config
    if config.start + config.hit > window:
        message = f"start {config.start} + hit {config.hit} is more than {window}"
        span = config.spans.get("hit") or config.spans.get("start")
        raise RequestError(message, code=HaCode.OVER_RETURN_HITS_LIMIT, span=span)
    if request.auxiliary is not None:
        message = "aux_query and aux_filter search a joined table, of which there is none"
        raise RequestError(message, code=HaCode.NO_SCAN_JOIN_CLUSTER_NAME, span=request.auxiliary.span)


def _distinct(request: HaRequest, expressions: Expressions) -> tuple[Distinct, ...]:
    found = plan_distinct(request.distinct, expressions)
    if len(request.rank_sort) > 1 and request.distinct and request.distinct[0] is not None:
        message = "several rounds of rank_sort and a first distinct exclude each other"
        code = HaCode.RANK_SORT_CLAUSE_AND_DISTINCT_CLAUSE_CONFLICT
        raise RequestError(message, code=code, span=request.distinct[0].span)
    return found


def _with_key(condition: Expr | None, request: HaRequest, schema: TableSchema) -> Expr | None:
    """The filter, and the row that pkfilter names. Raises RequestError 1064."""
    given = request.pkfilter
    if given is None:
        return condition
    integer = schema.key_type.is_integer
    if not given.text or (integer and not _INTEGER.fullmatch(given.text)):
        message = f"pkfilter takes a primary key, {'a whole number, ' if integer else ''}not {given.text[:40]!r}"
        raise RequestError(message, code=HaCode.PKFILTER_CLAUSE, span=given.span)
    key = Literal(int(given.text) if integer else given.text, given.span)
    equal = Compare("=", Field(schema.primary_key, span=given.span), key, given.span)
    return equal if condition is None else And((equal, condition), given.span)


def _warnings(remarks: tuple[Remark, ...], settings: TableSettings) -> tuple[str, ...]:
    dropped = [remark for remark in remarks if not remark.engine_takes]
    if dropped and settings.strict:
        first = dropped[0]
        raise RequestError(f"{first.text} (this table is strict)", code=first.code, span=first.span)
    return tuple(remark.text for remark in remarks)
