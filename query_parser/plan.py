"""HaRequest and the table it names to SearchPlan. Types of expressions are havengate.bind's.

What is wrong comes up in the order of the engine (havenask v0.3.0, ha3/qrs: RequestValidateProcessor.cpp,
RequestValidator.cpp), once the whole request has the right syntax.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import BoolNode, SearchPlan, Span
from query_parser.nodes import Remark
from query_parser.plan_attributes import definitions, output_fields, variables
from query_parser.plan_expr import Expressions
from query_parser.plan_functions import Scope
from query_parser.plan_key import with_key
from query_parser.plan_notes import idle_parts, reordering_parts
from query_parser.plan_pool import plan_aggregates, plan_distinct, plan_rounds, plan_sort
from query_parser.plan_query import QueryPlanner
from query_parser.plan_rank import filter_mode, plan_rank
from query_parser.plan_terms import Indexes
from query_parser.plan_tuning import cache_conditions, check_layers, check_rounds
from query_parser.request import HaRequest
from schemas.settings import TableSettings
from schemas.table import TableSchema

_BEFORE_CONFIG = (HaCode.NO_QUERY_CLAUSE, HaCode.INDEX_NOT_EXIST)
"""The engine cuts the query into words before it validates anything else."""
_MILLISECONDS = 1000


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


class Check(Protocol):
    """Holds a plan against the table's schema (havengate.bind). Raises RequestError for what does not fit."""

    def __call__(self, plan: SearchPlan, schema: TableSchema) -> object: ...


def plan_request(
    request: HaRequest,
    resolve: Resolve,
    *,
    index_aliases: frozenset[str],
    window: int,
    clock: Callable[[], float] = time.time,
    check: Check | None = None,
) -> SearchPlan:
    """The search that a request asks for.

    window  the most that start + hit may be
    clock   seconds since 1970
    check   what is asked, before a clause is refused, whether the clauses before it are right; and about virtual
            attributes and clauses that leave nothing in the plan

    Raises UnknownTable from ``resolve``, and RequestError with the engine's code and the span of what is wrong. Under
    a strict table the first thing that the engine drops is an error, too.
    """
    table = _table(request, resolve)
    indexes = Indexes(table.schema, index_aliases)
    planner = QueryPlanner(request, indexes, table.settings)
    query = _query(request, planner, window)
    scope = Scope(table.schema, request.kvpairs, clock)
    plan = _Clauses(request, table, query, Expressions(scope), check).plan(indexes)
    return replace(
        plan,
        warnings=(*warnings_of((*request.remarks, *planner.remarks), table.settings), *reordering_parts(request)),
        notes=tuple(dict.fromkeys((*idle_parts(request), *planner.notes, *scope.notes))),
    )


@dataclass(slots=True)
class _Clauses:
    """Plans the clauses after the query, each in the engine's turn."""

    request: HaRequest
    table: Table
    query: BoolNode
    expressions: Expressions
    check: Check | None
    parts: dict[str, Any] = field(default_factory=dict)
    """What the plan has so far, by the names of its fields."""

    def plan(self, indexes: Indexes) -> SearchPlan:
        request, config = self.request, self.request.config
        try:
            self._search()
            self._ask()
            mode, rank = filter_mode(request), plan_rank(request, indexes)
        except RequestError:
            self._check(self.parts)
            raise
        return SearchPlan(
            table=self.table.name,
            query=self.query,
            offset=config.start,
            limit=config.hit,
            timeout_s=config.number("timeout", 0) / _MILLISECONDS or None,
            filter_mode=mode,
            rank=rank,
            **self.parts,
        )

    def _search(self) -> None:
        """Which rows, in which order."""
        request, expressions = self.request, self.expressions
        for variable in definitions(request.virtual_attributes, expressions):
            self.parts["variables"] = (*self.parts.get("variables", ()), variable)
        if request.virtual_attributes:
            self._check(self.parts)
        if request.filter is not None:
            self.parts["filter"] = expressions.condition(request.filter)
        self.parts["sort"] = plan_sort(request.sort, expressions)
        if request.rank_sort:
            self._check({**self.parts, "sort": plan_rounds(request.rank_sort, expressions)})

    def _ask(self) -> None:
        """What is made of them."""
        request, expressions = self.request, self.expressions
        self.parts["distinct"] = plan_distinct(request.distinct, expressions)
        check_rounds(request)
        self.parts["aggregates"] = plan_aggregates(request.aggregates, expressions)
        self.parts["output_fields"] = output_fields(request.attributes, expressions)
        self.parts["variables"] = variables(request.attributes, expressions)
        for condition in cache_conditions(request, expressions):
            self._check({"filter": condition})
        found = with_key(self.parts.get("filter"), request, self.table.schema)
        check_layers(request.query_layers, self.table.schema)
        self.parts["filter"] = found

    def _check(self, parts: Mapping[str, Any]) -> None:
        if self.check is not None:
            self.check(SearchPlan(table=self.table.name, query=self.query, **parts), self.table.schema)


def _table(request: HaRequest, resolve: Resolve) -> Table:
    clusters, level = request.clusters, request.level
    table = resolve(clusters[0].text, clusters[0].span) if clusters else resolve(None, None)
    others: list[tuple[str, Span | None]] = [(cluster.text, cluster.span) for cluster in clusters[1:]]
    if level is not None and level.use:
        others += [(name, level.span) for names in level.clusters for name in names]
    for name, span in others:
        if resolve(name, span).name != table.name:
            message = f"one search has one table; {table.name} and {name} are two"
            raise RequestError(message, code=HaCode.MULTI_CLUSTERNAME_WITH_DIFFERENT_TABLE, span=span)
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
        first, second = ("start", "hit") if config.start > window else ("hit", "start")
        span = config.spans.get(first) or config.spans.get(second)
        raise RequestError(message, code=HaCode.OVER_RETURN_HITS_LIMIT, span=span)
    if request.auxiliary is not None:
        message = "aux_query and aux_filter search a joined table, of which there is none"
        raise RequestError(message, code=HaCode.NO_SCAN_JOIN_CLUSTER_NAME, span=request.auxiliary.span)


def warnings_of(remarks: tuple[Remark, ...], settings: TableSettings) -> tuple[str, ...]:
    """Raises RequestError for the first thing that the engine drops where the table is strict."""
    dropped = [remark for remark in remarks if not remark.engine_takes]
    if dropped and settings.strict:
        first = dropped[0]
        raise RequestError(f"{first.text} (this table is strict)", code=first.code, span=first.span)
    return tuple(remark.text for remark in remarks)
