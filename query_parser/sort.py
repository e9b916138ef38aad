"""The sort clause: ``[+|-]expression`` separated by ``;``; without a sign the order is descending."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clauses import pieces
from query_parser.expr import parse_expr
from query_parser.nodes import Remark, SortItem

MAX_KEYS = 16
"""As many as the plan's JSON form takes."""


def parse_sort(text: str, span: Span, remarks: list[Remark]) -> tuple[SortItem, ...]:
    """Raises RequestError 1031 (empty), 1054 (no expression, over MAX_KEYS)."""
    items = [_item(text, piece, remarks) for piece in pieces(text, span, ";")]
    if not items:
        raise RequestError("the sort clause is empty", code=HaCode.SORT_NO_DESCRIPTION, span=span)
    if len(items) > MAX_KEYS:
        raise RequestError(f"more than {MAX_KEYS} sort keys", code=HaCode.SORT_CLAUSE, span=items[MAX_KEYS].span)
    return tuple(items)


def _item(text: str, piece: Span, remarks: list[Remark]) -> SortItem:
    signed = text[piece.start] in "+-"
    body = Span(piece.start + signed, piece.end)
    descending = text[piece.start] != "+"
    if text[body.start : body.end] == "RANK":
        return SortItem(None, descending, piece)
    return SortItem(parse_expr(text, body, HaCode.SORT_CLAUSE, remarks), descending, piece)
