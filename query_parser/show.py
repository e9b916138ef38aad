"""A parsed request as JSON, for ``havengate parse``."""

from __future__ import annotations

from typing import Any

from query_parser.nodes import SortItem
from query_parser.request import HaRequest
from query_parser.show_expr import expr_text
from query_parser.show_query import excerpt, query_text


def show_request(request: HaRequest) -> dict[str, Any]:
    """What was understood, clause by clause; clauses that were not given are left out."""
    index, operator = request.config.default_index, request.config.default_operator
    shown = {
        "cluster": [cluster.text for cluster in request.clusters],
        "config": dict(request.config.values),
        "query": " ;; ".join(query_text(layer, index, operator) for layer in request.layers),
        "filter": "" if request.filter is None else expr_text(request.filter),
        "sort": [_sort(item) for item in request.sort],
        "attribute": [name.text for name in request.attributes],
        "kvpairs": {key: excerpt(value.text) for key, value in request.kvpairs.items()},
        "warnings": list(request.warnings),
    }
    return {name: value for name, value in shown.items() if value}


def _sort(item: SortItem) -> str:
    return f"{'-' if item.descending else '+'}{'RANK' if item.expr is None else expr_text(item.expr)}"
