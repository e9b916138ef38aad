"""Requests as HA syntax: parsed again they say the same."""

from __future__ import annotations

import re

from query_parser.judge import clause_trees, joined_clauses
from query_parser.request import HaRequest
from query_parser.write_query import write_query

_CUT = re.compile("&(?=&)")


def write_request(request: HaRequest) -> str:
    """The clauses, in the engine's order, each in its canonical form."""
    queries = {"query": request.layers, "aux_query": request.auxiliary.layers if request.auxiliary else ()}
    written = ((name, write_query(queries[name]) if name in queries else text) for name, text in clause_trees(request))
    return joined_clauses((name, _uncut(text)) for name, text in written)


def _uncut(text: str) -> str:
    """A request is cut at && even inside quotes; a backslash that escapes nothing is dropped there."""
    return _CUT.sub(r"&\\", text)
