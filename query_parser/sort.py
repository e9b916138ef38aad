"""The sort clause: ``[+|-]expression`` separated by ``;``; without a sign the order is descending."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clauses import pieces
from query_parser.expr import is_condition, parse_expr
from query_parser.nodes import Call, Remark, SortItem
from query_parser.show_expr import expr_text

MAX_KEYS = 16
"""As many as the plan's JSON form takes."""


def parse_sort(text: str, span: Span, remarks: list[Remark]) -> tuple[SortItem, ...]:
    """Raises RequestError 1031 (empty), 1054 (no expression, over MAX_KEYS), 1030 (a condition), 1032 (a key twice)."""
    items: dict[str, SortItem] = {}
    for piece in pieces(text, span, ";"):
        item = _item(text, piece, remarks)
        key = "RANK" if item.expr is None else expr_text(item.expr)
        if key in items:
            raise RequestError(f"sort names {key} twice", code=HaCode.SORT_SAME_EXPRESSION, span=piece)
        if len(items) == MAX_KEYS:
            raise RequestError(f"more than {MAX_KEYS} sort keys", code=HaCode.SORT_CLAUSE, span=piece)
        items[key] = item
    if not items:
        raise RequestError("the sort clause is empty", code=HaCode.SORT_NO_DESCRIPTION, span=span)
    return tuple(items.values())


def _item(text: str, piece: Span, remarks: list[Remark]) -> SortItem:
    signed = text[piece.start] in "+-"
    body = Span(piece.start + signed, piece.end)
    descending = text[piece.start] != "+"
    if text[body.start : body.end] == "RANK":
        return SortItem(None, descending, piece)
    expr = parse_expr(text, body, HaCode.SORT_CLAUSE, remarks)
    if is_condition(expr) and not isinstance(expr, Call):
        raise RequestError("sort takes values, this is a condition", code=HaCode.SORT_EXPRESSION_TYPE_BOOL, span=body)
    return SortItem(expr, descending, piece)
