"""What the engine makes of terms that share an index.

It joins plain terms and one operator into a single node, to which ``^n`` and ``||`` belong; what it cannot join it
pairs, and a pair knows AND and OR only: of ``a||(b|c)`` any one is enough, whatever ``^n`` says. (Facts of havenask
v0.3.0: ha3/queryparser/QueryParser.cpp, createMultiTermQueryExpr.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from query_parser.nodes import Core, Terms, TermSet

Op = Literal["|", "&", "||"]


def as_engine_reads(terms: Terms) -> Terms:
    """An equal tree in which ``min_match`` stands only where it counts: on ``||`` over plain terms, at least 1.

    ``||`` is left only there. Terms are in the engine's order.
    """
    return _built(_read(terms))


@dataclass(slots=True)
class _Node:
    """``joined``: a single node of the engine over plain terms; else pairs, nested to the left."""

    op: Op
    items: list[Core | _Node]
    joined: bool
    source: TermSet
    least: int = 1


def _read(terms: Terms) -> Core | _Node:
    if not isinstance(terms, TermSet):
        return terms
    first, *rest = map(_read, terms.items)
    whole = first
    for item in rest:
        whole = _join(terms, whole, item)
    if isinstance(whole, _Node) and whole.joined and terms.min_match is not None:
        whole.least = terms.min_match
    return whole


def _join(source: TermSet, left: Core | _Node, right: Core | _Node) -> _Node:
    op = source.op
    if not isinstance(right, _Node):
        if not isinstance(left, _Node):
            return _Node(op, [left, right], joined=True, source=source)
        if left.joined and left.op == op:
            left.items.append(right)
            return left
    elif not isinstance(left, _Node) and right.joined and right.op == op:
        right.items.append(left)
        return right
    pair: Op = "&" if op == "&" else "|"
    if isinstance(left, _Node) and not left.joined and left.op == pair:
        left.items.append(right)
        return left
    return _Node(pair, [left, right], joined=False, source=source)


def _built(node: Core | _Node) -> Terms:
    if not isinstance(node, _Node):
        return node
    least = node.least if node.joined and node.op == "||" else None
    return replace(node.source, op=node.op, items=tuple(map(_built, node.items)), min_match=least)
