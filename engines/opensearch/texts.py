"""What a text has inside it: parts (Contains) and words (Match), as clauses. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engines.checks import contains_spec_of, match_spec_of
from engines.frames.words import phrases
from engines.opensearch import scripts
from engines.opensearch.comparisons import equals, present
from engines.opensearch.dsl import NONE, Clause, all_of, any_of, but_not, script
from engines.opensearch.mapping import internal, stored_path
from engines.opensearch.tokens import list_token, text_token_start
from havengate.types import Contains, Match
from schemas.table import FieldSpec, FieldType

if TYPE_CHECKING:
    from schemas.table import TableSchema

_WILDCARD_CHARACTERS = 64
"""A pattern is tried on each different value once; Lucene refuses long ones, which a script tries row by row."""
_WILD = re.compile(r"[\\*?]")


def contains(node: Contains, schema: TableSchema) -> Clause:
    """A single text has the value inside it, one of several values equals it.

    Of a text longer than a term of Lucene only the beginning is searched (tokens.py). Raises RequestError.
    """
    spec, value = contains_spec_of(node, schema), node.value.value
    equal = equals(node.field, spec, [value])
    if spec.multi_value or not isinstance(value, str):
        return equal
    if spec.type is not FieldType.MAP:
        inside = _inside(node, spec, "", value)
        # A long text is found by itself, though only its beginning is searched.
        return any_of([equal, inside]) if len(value) > _WILDCARD_CHARACTERS else inside
    listed = {"term": {stored_path(spec): list_token(str(node.field.path))}}
    single = but_not(_inside(node, spec, text_token_start(str(node.field.path)), value), listed)
    return any_of([equal, single])


def match_words(node: Match, schema: TableSchema) -> Clause:
    """Raises RequestError for what is no TEXT field."""
    match_spec_of(node, schema)
    found = [_phrase(node, words) for words in phrases(node.text, node.phrase)]
    return all_of(found) if found else NONE


def _phrase(node: Match, words: list[str]) -> Clause:
    # The words were made by phrases(): whitespace alone may part them, or the cluster would cut them once more.
    asked = {"query": " ".join(words), "analyzer": "whitespace", "slop": 0}
    return {"match_phrase": {internal("words", node.field.name): asked}}


def _inside(node: Contains, spec: FieldSpec, start: str, value: str) -> Clause:
    if not start and not value:
        return present(node.field, spec)
    if len(start) + len(value) <= _WILDCARD_CHARACTERS:
        return {"wildcard": {stored_path(spec): {"value": f"{_escaped(start)}*{_escaped(value)}*"}}}
    params = {"field": stored_path(spec), "start": start, "part": value}
    return script(scripts.PARTS, params)


def _escaped(text: str) -> str:
    return _WILD.sub(r"\\\g<0>", text)
