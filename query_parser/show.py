"""A parsed request as JSON, for ``havengate parse``."""

from __future__ import annotations

from typing import Any

from query_parser.judge import clause_trees
from query_parser.request import HaRequest
from query_parser.show_clauses import sort_text
from query_parser.show_query import excerpt


def show_request(request: HaRequest) -> dict[str, Any]:
    """What was understood, clause by clause; clauses that were not given are left out."""
    shown = {
        **dict(clause_trees(request)),
        "cluster": [cluster.text for cluster in request.clusters],
        "config": dict(request.config.values),
        "sort": [sort_text([item]) for item in request.sort],
        "attribute": [name.text for name in request.attributes],
        "kvpairs": {key: excerpt(value.text) for key, value in request.kvpairs.items()},
        "warnings": list(request.warnings),
    }
    return {name: value for name, value in shown.items() if value}
