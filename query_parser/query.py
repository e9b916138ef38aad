"""The query clause: text to tree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.lalr import END, Tables, Unexpected, load
from query_parser.nodes import (
    MAX_DEPTH,
    Chain,
    ChainOp,
    Core,
    Fields,
    IndexTerm,
    NumberRange,
    Phrase,
    Query,
    Remark,
    Terms,
    TermSet,
    Word,
)
from query_parser.scan import Token, tokens, unquoted

_DIGITS = 24
_MOST_EXPECTED = 4
_INT64 = 2**63
_RANGE = re.compile(r"[^\^#]*+")
_LONG_NUMBER = re.compile(r"[+-]?[0-9]{19}[0-9]*+")
_TOKEN_NAMES = {
    END: "end of file",
    "NUMBER": "number",
    "IDENT": "identifier",
    "WORD": "string NOT including symbols",
    "QUOTED": "string NOT including symbols",
    "PHRASE": "double quoted string",
    "_AND": "AND",
    "_OR": "OR",
    "_ANDNOT": "ANDNOT",
    "_RANK": "RANK",
    "_EQ": "EQUAL",
    "_LE": "LE",
    "_GE": "GE",
    "_LT": "LESS",
    "_GT": "GREATER",
    "_WEAKAND": "WEAKAND",
    "_RPAR_COLON": "RPARENT_COLON",
    "_BAR": "'|'",
    "_AMP": "'&'",
    "_SEMI": "';'",
    "_AT": "'@'",
    "_LPAR": "'('",
    "_RPAR": "')'",
    "_CARET": "'^'",
    "_HASH": "'#'",
    "_LBRA": "'['",
    "_COMMA": "','",
    "_RBRA": "']'",
    "_COLON": "':'",
}
_FAMILY = frozenset({"expr", "exprs", "terms", "and_terms", "weak_terms", "unit"})


def parse_query(text: str, span: Span, remarks: list[Remark]) -> tuple[Query, ...]:
    """The clause's layers. Raises RequestError 1051 with the engine's message.

    What the engine drops is added to ``remarks``, and where it cuts a range's end to 64 bits.
    """
    long_numbers: list[Token] = []
    try:
        layers: list[Query] = _tables().parse(tokens(text, span, remarks, long_numbers), _FAMILY)
    except Unexpected as error:
        raise _syntax_error(error, span.end) from None
    if long_numbers:
        for layer in layers:
            _tell_cut_ends(text, layer, remarks)
    return tuple(layers)


@cache
def _tables() -> Tables:
    return load("query.lark", "query", _Builder())


def _syntax_error(error: Unexpected[Token], end: int) -> RequestError:
    """Bison names what it expected only where that is at most _MOST_EXPECTED tokens."""
    message = f"syntax error, unexpected {_TOKEN_NAMES[error.kind]}"
    expected = [name for kind, name in _TOKEN_NAMES.items() if kind in error.expected]
    if 0 < len(expected) <= _MOST_EXPECTED:
        message += f", expecting {' or '.join(dict.fromkeys(expected))}"
    where = Span(end, end) if error.token is None else _span(error.token)
    return RequestError(message, code=HaCode.QUERY_CLAUSE, span=where)


class _Builder:
    """A method for each rule of the grammar."""

    def first_layer(self, query: Query) -> list[Query]:
        return [query]

    def next_layer(self, layers: list[Query], query: Query) -> list[Query]:
        layers.append(query)
        return layers

    def juxtaposed(self, *items: Query) -> Chain:
        return _chain("", items)

    def ranked(self, *items: Query) -> Chain:
        return _chain("RANK", items)

    def any_of(self, *items: Query) -> Chain:
        return _chain("OR", items)

    def all_of(self, *items: Query) -> Chain:
        return _chain("AND", items)

    def without(self, *items: Query) -> Chain:
        return _chain("ANDNOT", items)

    def labelled(self, query: Query, label: Token) -> Query:
        return replace(query, label=label[0])

    def default_index(self, terms: Terms) -> IndexTerm:
        return IndexTerm(None, terms, terms.span, depth=terms.depth)

    def named_index(self, index: Token, terms: Terms) -> IndexTerm:
        where = _span(index)
        return IndexTerm(index[0], terms, Span(where.start, terms.span.end), where, depth=terms.depth)

    def default_fields(self, fields: Fields, terms: Terms) -> IndexTerm:
        return IndexTerm(None, terms, terms.span, fields=fields, depth=terms.depth)

    def named_fields(self, index: Token, fields: Fields, terms: Terms) -> IndexTerm:
        return replace(self.named_index(index, terms), fields=fields)

    def every_field(self, *names: Token) -> Fields:
        return _fields(names, every=True)

    def any_field(self, *names: Token) -> Fields:
        return _fields(names, every=False)

    def any_term(self, *items: Terms) -> TermSet:
        return _term_set("|", items)

    def every_term(self, *items: Terms) -> TermSet:
        return _term_set("&", items)

    def some_terms(self, *items: Terms) -> TermSet:
        return _term_set("||", items)

    def at_least(self, terms: Terms, count: Token) -> Terms:
        # On a single term the engine drops it; query_parser/engine_terms.py says where else it counts.
        return replace(terms, min_match=_atoi(count) % 2**32) if isinstance(terms, TermSet) else terms

    def boosted(self, core: Core, boost: Token) -> Core:
        return replace(core, boost=_atoi(boost), span=_to(core, boost))

    def chained(self, core: Core, chain: Token) -> Core:
        return replace(core, chain=chain[0], span=_to(core, chain))

    def boosted_chained(self, core: Core, boost: Token, chain: Token) -> Core:
        return self.chained(self.boosted(core, boost), chain)

    def chained_boosted(self, core: Core, chain: Token, boost: Token) -> Core:
        return replace(self.boosted(self.chained(core, chain), boost), chain_first=True)

    def word(self, token: Token) -> Word:
        where = _span(token)
        return Word(token[0], where, where)

    def quoted(self, token: Token) -> Word:
        where = _span(token)
        text = unquoted(token[0])
        intact = len(text) == where.end - where.start - 2
        return Word(text, where, Span(where.start + 1, where.end - 1) if intact else None)

    def phrase(self, token: Token) -> Phrase:
        return Phrase(unquoted(token[0]), _span(token))

    def comparison(self, sign: Token, token: Token) -> NumberRange:
        number, where = _integer(token[0]), _to(sign, token)
        closed = sign[0].endswith("=")
        if sign[0].startswith("<"):
            return _range(None, number, low_closed=True, high_closed=closed, span=where)
        return _range(number, None, low_closed=closed, high_closed=True, span=where)

    def interval(self, opener: Token, *rest: Token) -> NumberRange:
        *inner, closer = rest
        comma = [token[0] for token in inner].index(",")
        low, high = (_integer(part[0][0]) if part else None for part in (inner[:comma], inner[comma + 1 :]))
        low_closed, high_closed = low is None or opener[0] == "[", high is None or closer[0] == "]"
        return _range(low, high, low_closed, high_closed, _to(opener, closer))


def _range(low: int | None, high: int | None, low_closed: bool, high_closed: bool, span: Span) -> NumberRange:
    """Raises RequestError 1051 for a range that holds no number; an open end is the last number of 64 bits."""
    first, last = -_INT64 if low is None else low, _INT64 - 1 if high is None else high
    if first > last or (first == last and not (low_closed and high_closed)):
        opener, closer = "[" if low_closed else "(", "]" if high_closed else ")"
        message = f"Invalid Range: {opener}{first}, {last}{closer}."
        raise RequestError(message, code=HaCode.QUERY_CLAUSE, span=span)
    return NumberRange(low, high, low_closed, high_closed, span)


def _chain(op: ChainOp, items: tuple[Query, ...]) -> Chain:
    span = Span(items[0].span.start, items[-1].span.end)
    return Chain(op, items, span, depth=_deeper(items, span))


def _term_set(op: str, items: tuple[Terms, ...]) -> TermSet:
    span = Span(items[0].span.start, items[-1].span.end)
    return TermSet(op, items, span, depth=_deeper(items, span))  # type: ignore[arg-type]


def _deeper(items: tuple[Query, ...] | tuple[Terms, ...], span: Span) -> int:
    depth = 1 + max(item.depth for item in items)
    if depth > MAX_DEPTH:
        raise RequestError(f"the query is nested deeper than {MAX_DEPTH}", code=HaCode.QUERY_CLAUSE, span=span)
    return depth


def _integer(number: str) -> int:
    """As C's strtoll: cut to the range of 64 bits."""
    return max(-_INT64, min(_INT64 - 1, _meant(number)))


def _meant(number: str) -> int:
    """The number itself, or one that is as far out of range."""
    digits = int(number.lstrip("+-").lstrip("0")[:_DIGITS] or "0")
    return -digits if number.startswith("-") else digits


def _atoi(token: Token) -> int:
    """As C's atoi: the lower 32 bits of a long."""
    return (_integer(token[0]) + 2**31) % 2**32 - 2**31


def _tell_cut_ends(text: str, query: Query | Terms, remarks: list[Remark]) -> None:
    match query:
        case NumberRange(span=span):
            # A boost or chain behind the range is no end of it.
            own = _RANGE.match(text, span.start, span.end)
            for found in _LONG_NUMBER.finditer(text, span.start, span.end if own is None else own.end()):
                cut = _integer(found[0])
                if cut != _meant(found[0]):
                    message = f"{found[0][:_DIGITS]} has more than 64 bits: read as {cut}"
                    remarks.append(Remark(message, HaCode.QUERY_CLAUSE, Span(*found.span())))
        case IndexTerm():
            _tell_cut_ends(text, query.terms, remarks)
        case Chain() | TermSet():
            for item in query.items:
                _tell_cut_ends(text, item, remarks)


def _fields(names: Sequence[Token], *, every: bool) -> Fields:
    return Fields(tuple(name[0] for name in names), every, tuple(map(_span, names)))


def _span(token: Token) -> Span:
    return Span(*token.span())


def _to(first: Token | Core, last: Token) -> Span:
    start = first.span.start if isinstance(first, Core) else first.start()
    return Span(start, last.end())
