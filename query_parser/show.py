"""A parsed request as JSON, for ``havengate parse``."""

from __future__ import annotations

import re
from typing import Any

from query_parser.judge import clause_trees
from query_parser.request import HaRequest
from query_parser.show_clauses import sort_text

_EXCERPT = 200
_LONG = re.compile(rf"[^\s'\"]{{{_EXCERPT + 1},}}")


def show_request(request: HaRequest) -> dict[str, Any]:
    """What was understood, clause by clause; clauses that were not given are left out, pictures are cut."""
    shown = {
        **{name: _cut(tree) for name, tree in clause_trees(request)},
        "cluster": [cluster.text for cluster in request.clusters],
        "config": dict(request.config.values),
        "sort": [sort_text([item]) for item in request.sort],
        "attribute": [name.text for name in request.attributes],
        "kvpairs": {key: _cut(value.text) for key, value in request.kvpairs.items()},
        "warnings": list(request.warnings),
    }
    return {name: value for name, value in shown.items() if value}


def _cut(text: str) -> str:
    return _LONG.sub(lambda run: f"{run[0][:_EXCERPT]}… ({len(run[0])} characters)", text)
