"""The query clause: text to tree."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from lark import Token, Transformer, v_args

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.grammar import Language, load, token_span
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
from query_parser.quoting import QUERY_TOKEN, unquoted, what_is_read

_DIGITS = 20
_TOKEN_NAMES = {
    "$END": "end of file",
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
    """The clause's layers. Raises RequestError 1051 with the engine's message, 1014 for a number out of range."""
    read = what_is_read(QUERY_TOKEN, text, span, HaCode.QUERY_CLAUSE, remarks)
    return tuple(_language().parse(text, read))


@cache
def _language() -> Language:
    return Language(load("query.lark", "query", _Builder()), HaCode.QUERY_CLAUSE, _TOKEN_NAMES, _FAMILY)


@v_args(inline=True)
class _Builder(Transformer[Token, list[Query]]):
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
        return replace(query, label=str(label))

    def default_index(self, terms: Terms) -> IndexTerm:
        return IndexTerm(None, terms, terms.span, depth=terms.depth)

    def named_index(self, index: Token, terms: Terms) -> IndexTerm:
        where = token_span(index)
        return IndexTerm(str(index), terms, Span(where.start, terms.span.end), where, depth=terms.depth)

    def default_fields(self, fields: Fields, terms: Terms) -> IndexTerm:
        return IndexTerm(None, terms, terms.span, fields=fields, depth=terms.depth)

    def named_fields(self, index: Token, fields: Fields, terms: Terms) -> IndexTerm:
        return replace(self.named_index(index, terms), fields=fields)

    def every_field(self, *names: Token) -> Fields:
        return Fields(tuple(map(str, names)), all=True)

    def any_field(self, *names: Token) -> Fields:
        return Fields(tuple(map(str, names)), all=False)

    def any_term(self, *items: Terms) -> TermSet:
        return _term_set("|", items)

    def every_term(self, *items: Terms) -> TermSet:
        return _term_set("&", items)

    def some_terms(self, *items: Terms) -> TermSet:
        return _term_set("||", items)

    def at_least(self, terms: Terms, count: Token) -> Terms:
        # The engine sets it on whatever stands in the parentheses and only || reads it.
        return replace(terms, min_match=_integer(count)) if isinstance(terms, TermSet) else terms

    def boosted(self, core: Core, boost: Token) -> Core:
        return replace(core, boost=_integer(boost), span=_to(core, boost))

    def chained(self, core: Core, chain: Token) -> Core:
        return replace(core, chain=str(chain), span=_to(core, chain))

    def boosted_chained(self, core: Core, boost: Token, chain: Token) -> Core:
        return self.chained(self.boosted(core, boost), chain)

    def chained_boosted(self, core: Core, chain: Token, boost: Token) -> Core:
        return self.boosted(self.chained(core, chain), boost)

    def word(self, token: Token) -> Word:
        where = token_span(token)
        return Word(str(token), where, where)

    def quoted(self, token: Token) -> Word:
        where = token_span(token)
        text = unquoted(token)
        intact = len(text) == len(token) - 2
        return Word(text, where, Span(where.start + 1, where.end - 1) if intact else None)

    def phrase(self, token: Token) -> Phrase:
        return Phrase(unquoted(token), token_span(token))

    def comparison(self, sign: Token, token: Token) -> NumberRange:
        number, where = _integer(token), _to(sign, token)
        closed = sign.endswith("=")
        if sign.startswith("<"):
            return NumberRange(None, number, low_closed=True, high_closed=closed, span=where)
        return NumberRange(number, None, low_closed=closed, high_closed=True, span=where)

    def interval(self, opener: Token, *rest: Token) -> NumberRange:
        *inner, closer = rest
        comma = [token.type for token in inner].index("_COMMA")
        low, high = (_integer(part[0]) if part else None for part in (inner[:comma], inner[comma + 1 :]))
        return _interval(opener, low, high, closer)


def _interval(opener: Token, low: int | None, high: int | None, closer: Token) -> NumberRange:
    span = _to(opener, closer)
    low_closed, high_closed = low is None or opener == "[", high is None or closer == "]"
    if low is not None and high is not None and (low > high or (low == high and not (low_closed and high_closed))):
        message = f"Invalid Range: {opener}{low}, {high}{closer}."
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


def _integer(token: Token) -> int:
    if len(token) > _DIGITS:
        raise RequestError(
            f"the number {token[:_DIGITS]}… is too long", code=HaCode.NUMBER_RANGE_ERROR, span=token_span(token)
        )
    return int(token)


def _to(first: Token | Core, last: Token) -> Span:
    start = (first.start_pos or 0) if isinstance(first, Token) else first.span.start
    return Span(start, token_span(last).end)
