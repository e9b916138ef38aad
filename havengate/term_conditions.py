"""A text or number term as a condition that is true or false for every row, never missing."""

from __future__ import annotations

from collections.abc import Sequence

from engines.frames.words import phrases
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import (
    And,
    Compare,
    Exists,
    Expr,
    Field,
    Literal,
    Match,
    NumberTerm,
    Or,
    Range,
    TextTerm,
)
from schemas.table import TableSchema, TermIndex


def all_of(conditions: Sequence[Expr]) -> Expr:
    """One of at least one."""
    return conditions[0] if len(conditions) == 1 else And(tuple(conditions))


def any_of(conditions: Sequence[Expr]) -> Expr:
    """One of at least one; a chain of ORs stays shallow, so that it fits into the engines' depth."""
    flat = [part for each in conditions for part in (each.items if isinstance(each, Or) else (each,))]
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def term_condition(term: TextTerm | NumberTerm, schema: TableSchema) -> Expr:
    """Raises RequestError for an unknown index."""
    index = schema.term_indexes.get(term.index)
    if index is None:
        known = ", ".join(schema.term_indexes) or "none"
        message = f"no text or number index {term.index!r}; the table has: {known}"
        raise RequestError(message, code=HaCode.INDEX_NOT_EXIST, span=term.span)
    if isinstance(term, NumberTerm):
        return _in_range(term, Field(index.fields[0], span=term.span))
    if index.kind == "TEXT":
        return _matching(term, index)
    field = Field(index.fields[0], span=term.span)
    equal = Compare("=", field, Literal(term.text, term.span), term.span)
    return And((Exists(field, term.span), equal), term.span)


def _in_range(term: NumberTerm, field: Field) -> Expr:
    there = Exists(field, term.span)
    low, high = (None if end is None else Literal(end, term.span) for end in (term.low, term.high))
    return And((there, Range(field, low, high, term.include_low, term.include_high, term.span)), term.span)


def _matching(term: TextTerm, index: TermIndex) -> Expr:
    """Each phrase of the text in any of the fields asked for, or all of them in each field."""
    fields = [Field(name, span=term.span) for name in term.fields or index.fields]
    if term.all_fields:
        return all_of([Match(field, term.text, term.phrase, term.span) for field in fields])
    sought = phrases(term.text, term.phrase)
    if len(fields) == 1 or len(sought) <= 1:
        return _anywhere(fields, term.text, term.phrase)
    texts = [" ".join(words) for words in sought]
    if any(phrases(text, True) != [words] for text, words in zip(texts, sought, strict=True)):
        # Only a folded word of more than 64 characters does not come back as itself.
        message = f"index {index.name!r} has several fields: a word of its query is too long"
        raise RequestError(message, code=HaCode.QUERY_INVALID, span=term.span)
    return And(tuple(_anywhere(fields, text, True) for text in texts), term.span)


def _anywhere(fields: Sequence[Field], text: str, phrase: bool) -> Expr:
    return any_of([Match(field, text, phrase, field.span) for field in fields])
