"""The terms of the query clause against the indexes of a table."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.types import NumberTerm, Span, TextTerm
from query_parser.nodes import Core, Fields, NumberRange, Phrase, Word
from schemas.table import TableSchema, TermIndex, VectorIndex

MAX_CHARACTERS = 65_536
"""Of one text: words are cut character by character."""
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,40}\s*")
_REAL = re.compile(r"\s*[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?\s*")
_SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_WHOLE_BOOST = 100
_HINT = "; config=default_index:NAME says where terms without an index are looked for"


@dataclass(frozen=True, slots=True)
class Indexes:
    """A table's indexes by the names that clients use."""

    schema: TableSchema
    aliases: frozenset[str]

    def find(self, name: str, span: Span, *, named: bool = True) -> VectorIndex | TermIndex:
        """Raises RequestError 1013 for an unknown name; ``named``: the request has it, it is no default."""
        found = self.schema.vector_indexes.get(name) or self.schema.term_indexes.get(name)
        if found is not None:
            return found
        if name in self.aliases and len(self.schema.vector_indexes) == 1:
            return next(iter(self.schema.vector_indexes.values()))
        known = ", ".join((*self.schema.vector_indexes, *self.schema.term_indexes)) or "none"
        field = " (a field, but no index)" if name in self.schema.fields else ""
        message = f"no index {excerpt(name)!r}{field}; the table has: {known}{'' if named else _HINT}"
        raise RequestError(message, code=HaCode.INDEX_NOT_EXIST, span=span)

    def vector(self, name: str, span: Span) -> VectorIndex:
        """Raises RequestError 1013 for an unknown name, 1016 for an index of terms."""
        found = self.find(name, span)
        if isinstance(found, VectorIndex):
            return found
        known = ", ".join(self.schema.vector_indexes) or "none"
        message = f"index {name!r} holds no vectors; such are: {known}"
        raise RequestError(message, code=HaCode.INDEX_TYPE_INVALID, span=span)


def weight(core: Core) -> float:
    """A boost in hundredths. Raises RequestError 1033 for one below 0."""
    boost = _WHOLE_BOOST if core.boost is None else core.boost
    if boost < 0:
        message = f"a boost is 0 or more, not {boost}"
        raise RequestError(message, code=HaCode.QUERY_INVALID, span=core.span)
    return boost / _WHOLE_BOOST


def check_fields(fields: Fields | None, index: VectorIndex | TermIndex, span: Span) -> None:
    """Raises RequestError 1016 for an index of one field, 1017 for a field that the index does not have."""
    if fields is None:
        return
    if isinstance(index, VectorIndex) or index.kind != "TEXT" or len(index.fields) == 1:
        message = f"index {index.name!r} has no fields to choose from: only PACK indexes have"
        raise RequestError(message, code=HaCode.INDEX_TYPE_INVALID, span=span)
    for place, name in enumerate(fields.names):
        if name not in index.fields:
            where = fields.spans[place] if fields.spans else span
            message = f"index {index.name!r} has no field {excerpt(name)!r}; it has: {', '.join(index.fields)}"
            raise RequestError(message, code=HaCode.INDEX_FIELD_INVALID, span=where)


def words_terms(core: Core, index: TermIndex, fields: Fields | None, *, apart: bool) -> Iterator[TextTerm]:
    """What a TEXT or STRING index is searched for; nothing where the text has no word.

    ``apart``: words are terms of their own, because the default operator stands between them.
    Raises RequestError 1016 for numbers, 1033 over MAX_CHARACTERS.
    """
    if isinstance(core, NumberRange):
        message = f"index {index.name!r} is one of texts: it has no ranges"
        raise RequestError(message, code=HaCode.INDEX_TYPE_INVALID, span=core.span)
    if len(core.text) > MAX_CHARACTERS:
        message = f"the text has {len(core.text)} characters, the most is {MAX_CHARACTERS}"
        raise RequestError(message, code=HaCode.QUERY_INVALID, span=core.span)
    boost = weight(core)
    names, every = ((), False) if fields is None else (fields.names, fields.all)
    phrase = isinstance(core, Phrase) and index.kind == "TEXT"
    for text in _texts(core, index, apart=apart and not phrase):
        yield TextTerm(index.name, text, phrase, boost, names, every, core.span)


def number_term(core: Core, index: TermIndex, schema: TableSchema) -> NumberTerm | None:
    """What a NUMBER index is searched for, None for an empty text. Raises RequestError 1014 for another text."""
    boost = weight(core)
    if isinstance(core, NumberRange):
        return NumberTerm(index.name, core.low, core.high, core.low_closed, core.high_closed, boost, core.span)
    if not core.text.strip():
        return None
    number = _number(core.text, whole=all(schema.fields[name].type.is_integer for name in index.fields))
    if number is None:
        message = f"index {index.name!r} is one of numbers; {excerpt(core.text)!r} is none"
        raise RequestError(message, code=HaCode.NUMBER_RANGE_ERROR, span=core.span)
    return NumberTerm(index.name, number, number, weight=boost, span=core.span)


def _number(text: str, *, whole: bool) -> int | float | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if not whole and _REAL.fullmatch(text) else None


def _texts(core: Word | Phrase, index: TermIndex, *, apart: bool) -> Iterator[str]:
    if index.kind != "TEXT":
        yield from (core.text,) if core.text else ()
    elif apart:
        yield from pieces_with_words(core.text)
    elif next(pieces_with_words(core.text), None) is not None:
        yield core.text


def pieces_with_words(text: str) -> Iterator[str]:
    """The runs of letters, digits and marks of a text: where it has none, it has no word to search for.

    Characters are judged as engines/frames/words.py judges them.
    """
    plain = unicodedata.normalize("NFKC", text)
    start = None
    for place, character in enumerate(f"{plain} "):
        inside = _is_of_words(character, alone=start is None)
        if inside and start is None:
            start = place
        elif not inside and start is not None:
            yield plain[start:place]
            start = None


def _is_of_words(character: str, *, alone: bool) -> bool:
    """A variation selector goes with the character before it and is nothing by itself."""
    if character.isalnum():
        return True
    return unicodedata.category(character)[0] == "M" and not (alone and _SELECTOR.match(character))
