"""Query trees as text: ``(AND {default:'abc'} {default:'def'})``."""

from __future__ import annotations

from collections.abc import Iterable

from query_parser.nodes import Core, Fields, IndexTerm, NumberRange, Phrase, Query, Terms, TermSet


def query_text(query: Query, default_index: str = "default", default_operator: str = "AND") -> str:
    """Chains are printed pairwise from the left."""
    if isinstance(query, IndexTerm):
        head = f"{query.index or default_index}{_fields(query.fields)}"
        shown = f"{{{head}:{_terms(query.terms)}}}"
    else:
        items = (query_text(item, default_index, default_operator) for item in query.items)
        shown = _pairwise(query.op or default_operator, items)
    return shown if query.label is None else f"{shown}@{query.label}"


def _pairwise(op: str, items: Iterable[str]) -> str:
    first, *rest = items
    return f"({op} " * len(rest) + first + "".join(f" {item})" for item in rest)


def _fields(fields: Fields | None) -> str:
    if fields is None:
        return ""
    names = " ".join(fields.names)
    return f"(and {names})" if fields.all else f"[or {names}]"


def _terms(terms: Terms) -> str:
    if isinstance(terms, TermSet):
        least = "" if terms.min_match is None else f"^min{terms.min_match}"
        return _pairwise(terms.op, map(_terms, terms.items)) + least
    boost = "" if terms.boost is None else f"^{terms.boost}"
    chain = "" if terms.chain is None else f"#{terms.chain}"
    marks = f"{chain}{boost}" if terms.chain_first else f"{boost}{chain}"
    return f"{_core(terms)}{marks}"


def _core(core: Core) -> str:
    match core:
        case NumberRange():
            return f"(num {core})"
        case Phrase():
            return f'"{core.text}"'
        case _:
            return f"'{core.text}'"
