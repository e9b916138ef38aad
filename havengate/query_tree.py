"""The query tree as pools to ask an engine for, and conditions that they stand under. Pure.

What holds no vector term is a condition of two values, so that ANDNOT is a difference of sets. Beside AND it joins the
pools of the vector terms, so that the n best are chosen among the rows that match.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count as counting

from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.term_conditions import all_of, any_of, term_condition
from havengate.types import (
    And,
    AndNot,
    AtLeast,
    BoolNode,
    Expr,
    Not,
    NumberTerm,
    Or,
    RankNode,
    TextTerm,
    VectorTerm,
)
from schemas.table import TableSchema

# Sources are told apart by identity: one term may stand in a query twice, under different conditions.


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The pool of a vector term, chosen among the rows where all conditions hold."""

    term: VectorTerm
    conditions: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """All rows where all conditions hold."""

    conditions: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Every:
    items: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Either:
    items: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Minus:
    keep: Source
    drop: Source


@dataclass(frozen=True, slots=True, eq=False)
class Boost:
    """``number`` begins at 1 and is the boost's own in its tree."""

    number: int
    source: Source


@dataclass(frozen=True, slots=True, eq=False)
class Boosted:
    """The rows of ``keep``, with the scores of the boosts where they have them, too."""

    keep: Source
    boosts: tuple[Boost, ...]


Leaf = Nearest | Rows
Source = Leaf | Every | Either | Minus | Boosted


@dataclass(frozen=True, slots=True)
class Weights:
    """What the text and number terms add to RANK: ``base`` on every row, each mark's weight where it holds."""

    base: float = 0.0
    marks: tuple[tuple[Expr, float], ...] = ()


def reduce_tree(node: BoolNode | None, schema: TableSchema) -> Source:
    """What to ask for; the vector terms stay in their order. A query without any is one ``Rows``.

    Raises RequestError for an unknown node or index.
    """
    return Rows() if node is None else _reduce(node, schema, counting(1))


def leaves(source: Source) -> Iterator[Leaf]:
    """Every pool to ask for, from left to right."""
    match source:
        case Nearest() | Rows():
            yield source
        case _:
            for part in _parts(source):
                yield from leaves(part)


def giving_leaves(source: Source) -> Iterator[Leaf]:
    """Those leaves whose rows may stand in the answer: not what only takes rows away or adds to scores."""
    match source:
        case Minus(keep) | Boosted(keep):
            yield from giving_leaves(keep)
        case Every(items) | Either(items):
            for item in items:
                yield from giving_leaves(item)
        case _:
            yield source


def weights(node: BoolNode | None, schema: TableSchema) -> Weights:
    """The weights of every term but those that only take rows away.

    A term that every row of the answer matches gives a constant instead of a mark.
    """
    found = [] if node is None else list(_weighted(node, everywhere=True))
    marks = tuple((term_condition(term, schema), term.weight) for term, everywhere in found if not everywhere)
    return Weights(sum((term.weight for term, everywhere in found if everywhere), 0.0), marks)


def _parts(source: Every | Either | Minus | Boosted) -> tuple[Source, ...]:
    match source:
        case Every(items) | Either(items):
            return items
        case Minus(keep, drop):
            return (keep, drop)
        case Boosted(keep, boosts):
            return (keep, *(boost.source for boost in boosts))


def _reduce(node: BoolNode, schema: TableSchema, numbers: Iterator[int]) -> Source:
    match node:
        case VectorTerm():
            return Nearest(node)
        case TextTerm() | NumberTerm():
            return Rows((term_condition(node, schema),))
        case And(items) | Or(items) | AtLeast(items) if items:
            return _joined(node, [_reduce(item, schema, numbers) for item in items])
        case AndNot(keep, drop):
            return _minus(_reduce(keep, schema, numbers), _reduce(drop, schema, numbers))
        case RankNode(keep, boosts):
            kept = _reduce(keep, schema, numbers)
            return _boosted(kept, [_reduce(boost, schema, numbers) for boost in boosts], numbers)
        case _:
            raise RequestError(f"a query node without meaning: {excerpt(repr(node))}", code=HaCode.QUERY_INVALID)


def _joined(node: And[BoolNode] | Or[BoolNode] | AtLeast[BoolNode], sources: list[Source]) -> Source:
    match node:
        case And():
            return _every(sources)
        case Or():
            return _either(sources)
        case AtLeast(_, count):
            return _at_least(sources, count)


def _every(sources: list[Source]) -> Source:
    conditions = tuple(each for source in sources if isinstance(source, Rows) for each in source.conditions)
    others = tuple(_narrowed(source, conditions) for source in sources if not isinstance(source, Rows))
    if not others:
        return Rows(conditions)
    return others[0] if len(others) == 1 else Every(others)


def _either(sources: list[Source]) -> Source:
    # A chain of ORs is one, however it was nested: each source between would be joined on its own.
    sources = [each for source in sources for each in (source.items if isinstance(source, Either) else (source,))]
    rows = [source for source in sources if isinstance(source, Rows)]
    others = [source for source in sources if not isinstance(source, Rows)]
    joined = [Rows((any_of([all_of(each.conditions) for each in rows]),))] if rows else []
    items = (*others, *joined)
    return items[0] if len(items) == 1 else Either(items)


def _at_least(sources: list[Source], count: int) -> Source:
    if count in (1, len(sources)):
        return _either(sources) if count == 1 else _every(sources)
    rows = [source for source in sources if isinstance(source, Rows)]
    if len(rows) < len(sources):
        message = f"at least {count} of {len(sources)} nodes with vectors among them"
        raise RequestError(message, code=HaCode.INDEX_TYPE_INVALID)
    return Rows((AtLeast(tuple(all_of(each.conditions) for each in rows), count),))


def _minus(keep: Source, drop: Source) -> Source:
    return _narrowed(keep, (Not(all_of(drop.conditions)),)) if isinstance(drop, Rows) else Minus(keep, drop)


def _boosted(keep: Source, boosts: list[Source], numbers: Iterator[int]) -> Source:
    # A boost without a vector has no score but its terms' weights, which are marks.
    beside = keep.conditions if isinstance(keep, Rows) else ()
    scoring = tuple(Boost(next(numbers), _narrowed(boost, beside)) for boost in boosts if not isinstance(boost, Rows))
    return Boosted(keep, scoring) if scoring else keep


def _narrowed(source: Source, conditions: tuple[Expr, ...]) -> Source:
    """The source where the conditions hold, too; they reach every pool that gives rows."""
    if not conditions:
        return source
    match source:
        case Nearest() | Rows():
            return replace(source, conditions=source.conditions + conditions)
        case Every(items):
            return Every(tuple(_narrowed(item, conditions) for item in items))
        case Either(items):
            return Either(tuple(_narrowed(item, conditions) for item in items))
        case Minus(keep, drop):
            return Minus(_narrowed(keep, conditions), drop)
        case Boosted(keep, boosts):
            if isinstance(keep, Rows):
                boosts = tuple(Boost(each.number, _narrowed(each.source, conditions)) for each in boosts)
            return Boosted(_narrowed(keep, conditions), boosts)


def _weighted(node: BoolNode, *, everywhere: bool) -> Iterator[tuple[TextTerm | NumberTerm, bool]]:
    """Terms with a weight; ``everywhere`` where every row of the answer matches them."""
    match node:
        case TextTerm() | NumberTerm():
            if node.weight:
                yield node, everywhere
        case And(items):
            for item in items:
                yield from _weighted(item, everywhere=everywhere)
        case Or(items) | AtLeast(items):
            for item in items:
                yield from _weighted(item, everywhere=everywhere and len(items) == 1)
        case AndNot(keep):
            yield from _weighted(keep, everywhere=everywhere)
        case RankNode(keep, boosts):
            yield from _weighted(keep, everywhere=everywhere)
            for boost in boosts:
                yield from _weighted(boost, everywhere=False)
