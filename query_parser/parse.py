"""HA3 request text to HaRequest. Errors come in the engine's order; the first one counts.

Rules and codes are those of havenask v0.3.0 (ha3/queryparser/RequestParser.cpp). All clauses are parsed before
anything is held against a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.aggregate import parse_aggregate
from query_parser.analyzer import parse_analyzer
from query_parser.clause_nodes import Auxiliary, FetchSummary
from query_parser.clauses import KNOWN, pieces, split_clauses, trimmed
from query_parser.cluster import parse_cluster
from query_parser.config import check_format, parse_config
from query_parser.distinct import parse_distinct
from query_parser.expr import parse_expr
from query_parser.fetch_summary import By, parse_fetch_summary
from query_parser.final_sort import parse_final_sort
from query_parser.health_check import parse_health_check
from query_parser.kvpairs import parse_kvpairs
from query_parser.layer import parse_layer
from query_parser.level import parse_level
from query_parser.nodes import Expr, Query, Remark, Text
from query_parser.optimizer import parse_optimizer
from query_parser.query import parse_query
from query_parser.rank import parse_rank
from query_parser.rank_sort import parse_rank_sort
from query_parser.request import Config, HaRequest
from query_parser.searcher_cache import parse_searcher_cache
from query_parser.sort import parse_sort
from query_parser.virtual_attribute import parse_virtual_attribute

MAX_REMARKS = 50
"""A request of nothing but unknown keys would be answered with as many warnings."""
MAX_ATTRIBUTES = 1024

NodeT = TypeVar("NodeT")


def parse_request(text: str) -> HaRequest:
    """Every clause of a request, with spans into ``text``.

    Raises RequestError with the engine's code and a span: 1050, 1002 and 1056 for the request as a whole, then each
    clause's own codes in the engine's order, and 1007 at the end. What the engine drops without a word is in
    ``remarks``.
    """
    remarks: list[Remark] = []
    clauses = split_clauses(text, remarks)
    return _parsed(text, {name: (text, clause.value) for name, clause in clauses.items()}, remarks)


def parse_clauses(texts: Mapping[str, str]) -> HaRequest:
    """The same from each clause's own text; spans are offsets into that. Raises RequestError as parse_request does."""
    for name in texts:
        if name not in KNOWN:
            raise RequestError(f"unknown clause {name[:40]!r}", code=HaCode.UNKNOWN_CLAUSE, span=Span(0, 0))
    sources = {name: (text, trimmed(text, 0, len(text))) for name, text in texts.items()}
    return _parsed(texts.get("query", ""), sources, [])


@dataclass(slots=True)
class _Sources:
    """Where each clause that was given stands."""

    clauses: Mapping[str, tuple[str, Span]]
    remarks: list[Remark] = field(default_factory=list)

    def read(self, name: str, parse: Callable[[str, Span, list[Remark]], NodeT], missing: NodeT) -> NodeT:
        found = self.clauses.get(name)
        return missing if found is None else parse(*found, self.remarks)


def _parsed(text: str, clauses: Mapping[str, tuple[str, Span]], remarks: list[Remark]) -> HaRequest:
    """Arguments are read in the order of the engine's parsers."""
    sources = _Sources(clauses, remarks)
    read = sources.read
    config = read("config", parse_config, Config())
    request = HaRequest(
        text,
        config=config,
        clusters=read("cluster", parse_cluster, config.clusters),
        layers=read("query", parse_query, ()),
        filter=read("filter", parse_filter, None),
        sort=read("sort", parse_sort, ()),
        distinct=read("distinct", parse_distinct, ()),
        aggregates=read("aggregate", parse_aggregate, ()),
        rank=read("rank", parse_rank, None),
        health_check=read("healthcheck", parse_health_check, None),
        attributes=read("attribute", parse_attributes, ()),
        virtual_attributes=read("virtual_attribute", parse_virtual_attribute, ()),
        fetch_summary=_fetch_summary(sources, config),
        kvpairs={**config.kvpairs, **read("kvpairs", _kvpairs, {})},
        query_layers=read("layer", parse_layer, ()),
        searcher_cache=read("searcher_cache", parse_searcher_cache, None),
        optimizer=read("optimizer", parse_optimizer, None),
        rank_sort=read("rank_sort", parse_rank_sort, ()),
        final_sort=read("final_sort", parse_final_sort, None),
        level=read("level", parse_level, None),
        analyzer=read("analyzer", parse_analyzer, None),
        auxiliary=_auxiliary(sources),
        pkfilter=read("pkfilter", parse_pkfilter, None),
        remarks=tuple(remarks[:MAX_REMARKS]),
    )
    check_format(config)
    return request


def parse_filter(text: str, span: Span, remarks: list[Remark]) -> Expr | None:
    """An empty filter is none: clients send it when they have nothing to filter by. Raises RequestError 1052."""
    return None if span.start == span.end else parse_expr(text, span, HaCode.FILTER_CLAUSE, remarks)


def parse_aux_filter(text: str, span: Span, remarks: list[Remark]) -> Expr:
    """Raises RequestError 1080."""
    return parse_expr(text, span, HaCode.AUX_FILTER_CLAUSE, remarks)


def parse_pkfilter(text: str, span: Span, _remarks: list[Remark]) -> Text:
    return Text(text[span.start : span.end], span)


def parse_attributes(text: str, span: Span, _remarks: list[Remark]) -> tuple[Text, ...]:
    """Names in order, doubles left out. Raises RequestError 1002 over MAX_ATTRIBUTES."""
    names: dict[str, Text] = {}
    for piece in pieces(text, span, ","):
        name = text[piece.start : piece.end]
        names.setdefault(name, Text(name, piece))
        if len(names) > MAX_ATTRIBUTES:
            message = f"more than {MAX_ATTRIBUTES} attributes"
            raise RequestError(message, code=HaCode.KEY_VALUE_PAIR, span=piece)
    return tuple(names.values())


def _kvpairs(text: str, span: Span, _remarks: list[Remark]) -> dict[str, Text]:
    return parse_kvpairs(text, span)


def _fetch_summary(sources: _Sources, config: Config) -> FetchSummary | None:
    by = cast("By", config.text("fetch_summary_type") or "docid")

    def parse(text: str, span: Span, remarks: list[Remark]) -> FetchSummary:
        return parse_fetch_summary(text, span, remarks, by)

    return sources.read("fetch_summary", parse, None)


def _auxiliary(sources: _Sources) -> Auxiliary | None:
    layers: tuple[Query, ...] = sources.read("aux_query", parse_query, ())
    condition = sources.read("aux_filter", parse_aux_filter, None)
    for name in ("aux_query", "aux_filter"):
        if name in sources.clauses:
            return Auxiliary(layers, condition, sources.clauses[name][1])
    return None
