"""Descriptions: ``key:value`` pairs in any order, separated by commas, the last of a key winning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.nodes import Arithmetic, Call, Constant, Name
from query_parser.numbers import int32
from query_parser.tokens import END, Tokens


@dataclass
class Meaningless(Exception):
    """A value that can be read but means nothing. It waits for the end: a syntax error behind it comes first."""

    error: RequestError


Reader = Callable[[Tokens], Any]


def read_description(tokens: Tokens, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Values by key as far as they go. Raises RequestError; of meaningless values the last one counts.

    The engine's grammar has the whole description, and the meaningless value with it, before it looks at what follows,
    unless that is an expression which an operator might continue.
    """
    values: dict[str, Any] = {}
    late: RequestError | None = None
    while True:
        at = tokens.at
        read = readers.get(tokens.word(at))
        if read is None:
            raise tokens.unexpected(sorted(readers))
        tokens.at += 1
        tokens.take(":")
        value = None
        try:
            value = values[tokens.word(at)] = read(tokens)
        except Meaningless as found:
            late = found.error
        if not tokens.accept(","):
            break
    if late is not None:
        continued = isinstance(value, Name | Constant | Arithmetic | Call) and tokens.kind != END
        raise tokens.unexpected() if continued else late
    return values


def meaningless(tokens: Tokens, code: HaCode, message: str) -> Meaningless:
    """About the token that was read last."""
    return Meaningless(RequestError(message, code=code, span=tokens.span(tokens.at - 1)))


def int32_reader(code: HaCode, what: str) -> Reader:
    """INTEGER, whose value is checked later than its place."""

    def read(tokens: Tokens) -> int:
        source = tokens.take("integer")
        found = int32(source)
        if found is None:
            raise meaningless(tokens, code, f"{what} takes a whole number below 2^31, not {source[:40]!r}")
        return found

    return read


def choice_reader(code: HaCode, what: str, choices: Mapping[str, bool]) -> Reader:
    def read(tokens: Tokens) -> bool:
        source = tokens.identifier()
        if source not in choices:
            raise meaningless(tokens, code, f"{what} is {' or '.join(choices)}, not {source[:40]!r}")
        return choices[source]

    return read


def numbers_reader(separator: str) -> Reader:
    """Signed numbers between separators."""

    def read(tokens: Tokens) -> tuple[int | float, ...]:
        found = [tokens.signed_number()]
        while tokens.accept(separator):
            found.append(tokens.signed_number())
        return tuple(found)

    return read


def whole(tokens: Tokens, start: int) -> Span:
    """From a token to the one that was read last."""
    return Span(tokens.starts[start], tokens.ends[max(start, tokens.at - 1)])
