"""The trees of a HA3 request, before any schema is known. Frozen; spans are offsets into the whole request text.

Query trees are n-ary where the language is associative, and bare parentheses leave no node, so a tree is never
deeper than MAX_DEPTH: later stages may recurse over it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from havengate.codes import HaCode
from havengate.types import CompareOp, Span

MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that was read past: a warning, or under a strict table an error with this code.

    ``engine_takes``: the engine has a use for it, so that even a strict table only warns.
    """

    text: str
    code: HaCode
    span: Span = field(compare=False)
    engine_takes: bool = False


# --- query clause --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Word:
    """A bare word, number or single-quoted text.

    content      where its text lies, if that holds no escapes
    boost        as it was written, None is the engine's default
    chain_first  ``#chain`` was written before ``^boost``
    """

    text: str
    span: Span = field(compare=False)
    content: Span | None = field(default=None, compare=False)
    boost: int | None = None
    chain: str | None = None
    chain_first: bool = field(default=False, compare=False)
    depth: int = field(default=1, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A double-quoted text."""

    text: str
    span: Span = field(compare=False)
    boost: int | None = None
    chain: str | None = None
    chain_first: bool = field(default=False, compare=False)
    depth: int = field(default=1, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Integers between two ends; None is no end."""

    low: int | None
    high: int | None
    low_closed: bool
    high_closed: bool
    span: Span = field(compare=False)
    boost: int | None = None
    chain: str | None = None
    chain_first: bool = field(default=False, compare=False)
    depth: int = field(default=1, init=False, repr=False, compare=False)

    def __str__(self) -> str:
        opener, closer = "[" if self.low_closed else "(", "]" if self.high_closed else ")"
        low, high = "-inf" if self.low is None else self.low, "inf" if self.high is None else self.high
        return f"{opener}{low},{high}{closer}"


Core = Word | Phrase | NumberRange


@dataclass(frozen=True, slots=True)
class TermSet:
    """Terms that share an index: any of them ``|``, all ``&``, at least ``min_match`` ``||``."""

    op: Literal["|", "&", "||"]
    items: tuple[Terms, ...]
    span: Span = field(compare=False)
    min_match: int | None = None
    depth: int = field(default=1, repr=False, compare=False)


Terms = Core | TermSet


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of an index that must all hold the terms, or of which any may."""

    names: tuple[str, ...]
    all: bool
    spans: tuple[Span, ...] = field(default=(), compare=False)
    """One for each name, where the text is known."""


@dataclass(frozen=True, slots=True)
class IndexTerm:
    """``index(fields):terms``; ``index`` None is the default index."""

    index: str | None
    terms: Terms
    span: Span = field(compare=False)
    index_span: Span | None = field(default=None, compare=False)
    fields: Fields | None = None
    label: str | None = None
    depth: int = field(default=1, repr=False, compare=False)


ChainOp = Literal["AND", "OR", "ANDNOT", "RANK", ""]


@dataclass(frozen=True, slots=True)
class Chain:
    """Two or more operands of one operator, left-associative; op "" is juxtaposition, the default operator."""

    op: ChainOp
    items: tuple[Query, ...]
    span: Span = field(compare=False)
    label: str | None = None
    depth: int = field(default=1, repr=False, compare=False)


Query = IndexTerm | Chain

# --- filter and sort expressions -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name:
    """A field, or a path into a MAP field."""

    name: str
    path: str | None
    span: Span = field(compare=False)
    depth: int = field(default=1, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """A number or text; ``source`` is how it was written."""

    value: str | int | float
    source: str
    span: Span = field(compare=False)
    depth: int = field(default=1, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[Expr, ...]
    span: Span = field(compare=False)
    depth: int = field(default=1, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Operators + - * / & ^ | between numbers."""

    op: str
    left: Expr
    right: Expr
    span: Span = field(compare=False)
    depth: int = field(default=1, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Relation:
    op: CompareOp
    left: Expr
    right: Expr
    span: Span = field(compare=False)
    depth: int = field(default=1, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Logical:
    op: Literal["AND", "OR"]
    items: tuple[Expr, ...]
    span: Span = field(compare=False)
    depth: int = field(default=1, repr=False, compare=False)


Expr = Name | Constant | Call | Arithmetic | Relation | Logical


@dataclass(frozen=True, slots=True)
class SortItem:
    """One sort key; ``expr`` None is RANK."""

    expr: Expr | None
    descending: bool
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A name or value and where it stands."""

    text: str
    span: Span = field(compare=False)
