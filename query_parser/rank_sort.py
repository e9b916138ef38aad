"""The rank_sort clause: shares of the result, each with sort keys of its own."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.types import Span
from query_parser.clause_nodes import RankSort
from query_parser.descriptions import whole
from query_parser.expr import expression
from query_parser.nodes import Remark, SortItem
from query_parser.tokens import END, Tokens, number


def parse_rank_sort(text: str, span: Span, remarks: list[Remark]) -> tuple[RankSort, ...]:
    """Raises RequestError 2500."""
    tokens = Tokens(text, span, HaCode.RANK_SORT_CLAUSE, remarks)
    found = [_share(tokens)]
    while tokens.accept(";"):
        if tokens.kind not in (";", END):
            found.append(_share(tokens))
    if tokens.kind != END:
        raise tokens.unexpected()
    return tuple(found)


def _share(tokens: Tokens) -> RankSort:
    """``sort:…,percent:N`` in either order."""
    if tokens.word(tokens.at) == "percent":
        percent = _percent(tokens)
        tokens.take(",")
        return RankSort(_keys(tokens), percent)
    items = _keys(tokens)
    tokens.take(",")
    return RankSort(items, _percent(tokens))


def _percent(tokens: Tokens) -> float:
    _label(tokens, "percent")
    return float(number(tokens.take("integer", "float"), tokens))


def _keys(tokens: Tokens) -> tuple[SortItem, ...]:
    _label(tokens, "sort")
    items = [_key(tokens)]
    while tokens.accept("#"):
        items.append(_key(tokens))
    return tuple(items)


def _key(tokens: Tokens) -> SortItem:
    """A minus before a number is the key's direction; without a sign it descends."""
    at = tokens.at
    ascending = tokens.accept("+")
    if not ascending:
        tokens.accept("-")
    expr = None if tokens.accept("RANK") else expression(tokens)
    return SortItem(expr, not ascending, whole(tokens, at))


def _label(tokens: Tokens, name: str) -> None:
    if tokens.word(tokens.at) != name:
        raise tokens.unexpected((name,))
    tokens.at += 1
    tokens.take(":")
