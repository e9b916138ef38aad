"""The engine's verdict on a request or on one clause, without any table."""

from __future__ import annotations

from dataclasses import dataclass

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.config import parse_config
from query_parser.expr import parse_expr
from query_parser.nodes import Remark
from query_parser.parse import parse_request
from query_parser.query import parse_query
from query_parser.show_expr import expr_text
from query_parser.show_query import query_text


@dataclass(frozen=True, slots=True)
class Judged:
    """What the engine accepts: its tree as text, and what it would have dropped without a word."""

    tree: str
    warnings: tuple[str, ...]


def judge(clause: str, text: str) -> Judged:
    """``clause`` is "request" or any clause's key; ``text`` is the request, or what follows the clause's ``=``.

    Syntax only: names, types, functions and clusters are not looked up. Raises RequestError.
    """
    remarks: list[Remark] = []
    span = Span(0, len(text))
    match clause:
        case "request":
            request = parse_request(text)
            tree = " ;; ".join(query_text(layer) for layer in request.layers)
            remarks.extend(request.remarks)
        case "query":
            tree = " ;; ".join(query_text(layer) for layer in parse_query(text, span, remarks))
        case "filter":
            tree = expr_text(parse_expr(text, span, HaCode.FILTER_CLAUSE, remarks))
        case "config":
            tree = ",".join(f"{key}:{value}" for key, value in parse_config(text, span, remarks).values.items())
        case _:
            raise RequestError(f"unknown clause {clause[:40]!r}", code=HaCode.UNKNOWN_CLAUSE, span=span)
    return Judged(tree, tuple(remark.text for remark in remarks))
