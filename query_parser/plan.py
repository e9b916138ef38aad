"""HaRequest and the table it names to SearchPlan. Types of filters and sorts are havengate.bind's."""

from __future__ import annotations

from typing import Protocol

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import DEFAULT_SORT, FilterMode, Rank, SearchPlan, Span
from query_parser.expr import parse_expr
from query_parser.nodes import Call, Constant, Name, Remark, Text
from query_parser.plan_expr import plan_filter, plan_sort
from query_parser.plan_query import Indexes, QueryPlanner
from query_parser.request import HaRequest
from schemas.settings import TableSettings
from schemas.table import TableSchema


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


def plan_request(request: HaRequest, resolve: Resolve, *, index_aliases: frozenset[str], window: int) -> SearchPlan:
    """The search that a request asks for; ``window`` is the most that start + hit may be.

    Raises UnknownTable from ``resolve``, and RequestError 1004, 1005, 1012, 1013, 1016, 1033, 1051, 1052, 1054,
    2000, 2090, 2100, 2101, each with its span. Under a strict table the first
    thing that the engine drops is an error, too.
    """
    table = _table(request, resolve)
    _check_window(request, window)
    indexes = Indexes(table.schema, index_aliases)
    planner = QueryPlanner(request, indexes, table.settings)
    query = planner.plan()
    condition = None if request.filter is None else plan_filter(request.filter)
    sort = plan_sort(request.sort) or DEFAULT_SORT
    output = _output_fields(request.attributes, table.schema)
    rank, mode = _rank(request, indexes), _filter_mode(request)
    warnings = _warnings((*request.remarks, *planner.remarks), table.settings)
    config = request.config
    return SearchPlan(
        table=table.name,
        query=query,
        filter=condition,
        filter_mode=mode,
        rank=rank,
        sort=sort,
        offset=config.start,
        limit=config.hit,
        output_fields=output,
        warnings=warnings,
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


def _check_window(request: HaRequest, window: int) -> None:
    config = request.config
    if config.start + config.hit > window:
        message = f"start {config.start} + hit {config.hit} is more than {window}"
        span = config.spans.get("hit") or config.spans.get("start")
        raise RequestError(message, code=HaCode.OVER_RETURN_HITS_LIMIT, span=span)


def _output_fields(attributes: tuple[Text, ...], schema: TableSchema) -> tuple[str, ...] | None:
    """The attribute clause adds to the fields that always come: vectors and Base64 pictures."""
    if not attributes:
        return None
    for attribute in attributes:
        if attribute.text not in schema.fields:
            message = f"no field {attribute.text!r}; the table has: {', '.join(schema.fields)}"
            raise RequestError(message, code=HaCode.ATTRIBUTE_NOT_EXIST, span=attribute.span)
    always = [name for name in schema.attribute_fields if name not in schema.base64_fields]
    return tuple(dict.fromkeys([*always, *(attribute.text for attribute in attributes)]))


def _filter_mode(request: HaRequest) -> FilterMode:
    mode = request.kvpairs.get("filter_mode")
    match None if mode is None else mode.text:
        case None | "pre":
            return "pre"
        case "post":
            return "post"
        case other:
            span = None if mode is None else mode.span
            message = f"filter_mode is pre or post, not {other!r}"
            raise RequestError(message, code=HaCode.PARSE_KVPAIR_CLAUSE, span=span)


def _rank(request: HaRequest, indexes: Indexes) -> Rank:
    """Both names of the formula mean the same; ``formula`` wins."""
    formula = request.kvpairs.get("formula") or request.kvpairs.get("first_formula")
    return Rank() if formula is None else Rank(_proxima_index(formula, indexes), formula.span)


def _proxima_index(formula: Text, indexes: Indexes) -> str:
    where = formula.span
    try:
        expr = parse_expr(formula.text, Span(0, len(formula.text)), HaCode.PARSE_SYNTAX, [])
    except RequestError as error:
        raise RequestError(f"formula: {error.message}", code=error.code, span=where) from None
    match expr:
        case Call("proxima_score", (Name(name, None) | Constant(str(name)),)):
            return indexes.resolve(name, where).name
        case Call("proxima_score"):
            raise RequestError("proxima_score takes one index", code=HaCode.FUNCTION_ARGCOUNT, span=where)
        case Call():
            message = f"no function {expr.function}; a formula is proxima_score(index)"
        case _:
            message = f"a formula is proxima_score(index) in this version, not {formula.text[:80]!r}"
    raise RequestError(message, code=HaCode.FUNCTION_NOT_DEFINED, span=where)


def _warnings(remarks: tuple[Remark, ...], settings: TableSettings) -> tuple[str, ...]:
    dropped = [remark for remark in remarks if not remark.engine_takes]
    if dropped and settings.strict:
        first = dropped[0]
        raise RequestError(f"{first.text} (this table is strict)", code=first.code, span=first.span)
    return tuple(remark.text for remark in remarks)
