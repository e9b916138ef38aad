"""The engine's verdict on a request or on one clause, without any table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clauses import ORDER
from query_parser.nodes import Expr, Query
from query_parser.parse import parse_clauses, parse_request
from query_parser.request import HaRequest
from query_parser.show_clauses import (
    aggregate_text,
    analyzer_text,
    distinct_text,
    fetch_summary_text,
    final_sort_text,
    health_check_text,
    kvpairs_text,
    layer_text,
    level_text,
    optimizer_text,
    rank_sort_text,
    rank_text,
    searcher_cache_text,
    sort_text,
    virtual_attribute_text,
)
from query_parser.show_expr import expr_text
from query_parser.show_query import query_text

REQUEST = "request"

NodeT = TypeVar("NodeT")


@dataclass(frozen=True, slots=True)
class Judged:
    """What the engine accepts: its tree as text, and what it would have dropped without a word."""

    tree: str
    warnings: tuple[str, ...]


def judge(clause: str, text: str) -> Judged:
    """``clause`` is "request" or any clause's key; ``text`` is the request, or what follows the clause's ``=``.

    Syntax only: names, types, functions and clusters are not looked up. A request's tree is its clauses' trees in the
    engine's order. Raises RequestError with the engine's code and a span in ``text``.
    """
    if clause == REQUEST:
        request = parse_request(text)
        tree = joined_clauses(clause_trees(request))
    elif clause in _SHOWN:
        request = parse_clauses({clause: text})
        tree = _SHOWN[clause](request) or ""
    else:
        message = f"unknown clause {clause[:40]!r}; known: {REQUEST}, {', '.join(ORDER)}"
        raise RequestError(message, code=HaCode.UNKNOWN_CLAUSE, span=Span(0, 0))
    return Judged(tree, tuple(remark.text for remark in request.remarks if not remark.engine_takes))


def clause_trees(request: HaRequest) -> Iterator[tuple[str, str]]:
    """Name and text of each clause that was given, in the engine's order; lists that are empty say nothing."""
    for name in ORDER:
        shown = _SHOWN[name](request)
        if shown is not None:
            yield name, shown


def joined_clauses(texts: Iterable[tuple[str, str]]) -> str:
    """The request of clauses by name; a blank keeps an ``&`` at a text's end from the cut behind it."""
    return "&&".join(f"{name}={text} " if text.endswith("&") else f"{name}={text}" for name, text in texts).rstrip(" ")


def _config(request: HaRequest) -> str | None:
    joined = {
        "cluster": "&".join(name.text for name in request.config.clusters),
        "kvpairs": ";".join(f"{key}#{value.text}" for key, value in request.config.kvpairs.items()),
    }
    return ",".join(f"{key}:{joined.get(key, value)}" for key, value in request.config.values.items()) or None


def _clusters(request: HaRequest) -> str | None:
    """Those of the cluster clause; config shows its own."""
    return None if request.clusters == request.config.clusters else ",".join(name.text for name in request.clusters)


def _layers(layers: tuple[Query, ...], request: HaRequest) -> str | None:
    index, operator = request.config.default_index, request.config.default_operator
    return " ;; ".join(query_text(layer, index, operator) for layer in layers) or None


def _kvpairs(request: HaRequest) -> str | None:
    """Those of the kvpairs clause."""
    own = ((key, value.text) for key, value in request.kvpairs.items() if request.config.kvpairs.get(key) != value)
    return kvpairs_text(own) or None


def _condition(expr: Expr | None) -> str | None:
    return None if expr is None else expr_text(expr)


def _maybe(node: NodeT | None, show: Callable[[NodeT], str | None]) -> str | None:
    return None if node is None else show(node)


_SHOWN: Mapping[str, Callable[[HaRequest], str | None]] = {
    "config": _config,
    "cluster": _clusters,
    "query": lambda request: _layers(request.layers, request),
    "filter": lambda request: _condition(request.filter),
    "sort": lambda request: sort_text(request.sort) or None,
    "distinct": lambda request: distinct_text(request.distinct) or None,
    "aggregate": lambda request: aggregate_text(request.aggregates) or None,
    "rank": lambda request: _maybe(request.rank, rank_text),
    "healthcheck": lambda request: _maybe(request.health_check, health_check_text),
    "attribute": lambda request: ",".join(name.text for name in request.attributes) or None,
    "virtual_attribute": lambda request: virtual_attribute_text(request.virtual_attributes) or None,
    "fetch_summary": lambda request: _maybe(request.fetch_summary, fetch_summary_text),
    "kvpairs": _kvpairs,
    "layer": lambda request: layer_text(request.query_layers) or None,
    "searcher_cache": lambda request: _maybe(request.searcher_cache, searcher_cache_text),
    "optimizer": lambda request: _maybe(request.optimizer, optimizer_text),
    "rank_sort": lambda request: rank_sort_text(request.rank_sort) or None,
    "final_sort": lambda request: _maybe(request.final_sort, final_sort_text),
    "level": lambda request: _maybe(request.level, level_text),
    "analyzer": lambda request: _maybe(request.analyzer, analyzer_text),
    "aux_query": lambda request: _maybe(request.auxiliary, lambda joined: _layers(joined.layers, HaRequest(""))),
    "aux_filter": lambda request: _maybe(request.auxiliary, lambda joined: _condition(joined.filter)),
    "pkfilter": lambda request: _maybe(request.pkfilter, lambda given: given.text),
}
