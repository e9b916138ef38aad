"""Query trees as HA syntax: parsed again they are the same trees."""

from __future__ import annotations

import re
from collections.abc import Sequence

from query_parser.nodes import Core, Fields, IndexTerm, NumberRange, Phrase, Query, Terms, TermSet

_BARE = re.compile(r"(?!(?:AND|OR|ANDNOT|RANK)\Z)(?:[+-]?[0-9]+|[A-Za-z_][A-Za-z0-9_]*)\Z")
_BINDS = {"": 0, "RANK": 1, "OR": 2, "AND": 3, "ANDNOT": 4}
_PRIMARY = 5
_TERMS_BIND = {"|": 0, "&": 1, "||": 2}
_UNIT = 3


def write_query(layers: Sequence[Query]) -> str:
    """The clause's text, that which follows ``query=``. Texts must not hold NUL, which no query can."""
    return ";".join(_query(layer, 0) for layer in layers)


def _query(query: Query, binds: int) -> str:
    """The query as an operand of what binds at least so tightly."""
    if isinstance(query, IndexTerm):
        written, own = _index_term(query), _PRIMARY
    else:
        own = _BINDS[query.op]
        operator = f" {query.op} " if query.op else " "
        written = operator.join(_query(item, own + 1) for item in query.items)
    if query.label is not None:
        return f"({written})@{query.label}"
    return f"({written})" if own < binds else written


def _index_term(term: IndexTerm) -> str:
    if term.index is None and term.fields is None:
        return _core(term.terms, bare=False) if not isinstance(term.terms, TermSet) else _terms(term.terms, _UNIT)
    return f"{term.index or ''}{_fields(term.fields)}:{_terms(term.terms, 0)}"


def _fields(fields: Fields | None) -> str:
    if fields is None:
        return ""
    names = ",".join(fields.names)
    return f"({names})" if fields.all else f"[{names}]"


def _terms(terms: Terms, binds: int) -> str:
    if not isinstance(terms, TermSet):
        return _core(terms, bare=True)
    own = _TERMS_BIND[terms.op]
    written = terms.op.join(_terms(item, own + 1) for item in terms.items)
    if terms.min_match is not None:
        return f"({written})^{terms.min_match}"
    return f"({written})" if own < binds else written


def _core(core: Core, *, bare: bool) -> str:
    """``bare``: an identifier needs no quotes, because none of the signs that follow could belong to it."""
    match core:
        case NumberRange():
            written = _range(core)
        case Phrase(text):
            written = quoted(text, '"')
        case _:
            written = core.text if bare and _BARE.match(core.text) else quoted(core.text, "'")
    marks = ["" if core.boost is None else f"^{core.boost}", "" if core.chain is None else f"#{core.chain}"]
    return written + "".join(reversed(marks) if core.chain_first else marks)


def _range(core: NumberRange) -> str:
    opener, closer = "[" if core.low_closed else "(", "]" if core.high_closed else ")"
    if core.low is None:
        return f"(,{core.high}{closer}"
    if core.high is None:
        return f"{opener}{core.low},)"
    return f"{opener}{core.low},{core.high}{closer}"


def quoted(text: str, quote: str) -> str:
    """The text in quotes as the engine's scanner undoes them."""
    return quote + text.replace("\\", "\\\\").replace(quote, f"\\{quote}") + quote
