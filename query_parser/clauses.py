"""Splitting a request into clauses, as the engine's Request::splitClause does: blind to quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.types import Span
from query_parser.nodes import Remark, Text

BLANKS = " \t\r\n\v\f"
MAX_PIECES = 65_536
_HOPS = 16
_KNOWN_ESCAPES = {quote: re.compile(rf"[^\\]*+(?:\\[\\{quote}][^\\]*+)*+") for quote in "'\""}

ORDER = (
    "config",
    "cluster",
    "query",
    "filter",
    "sort",
    "distinct",
    "aggregate",
    "rank",
    "healthcheck",
    "attribute",
    "virtual_attribute",
    "fetch_summary",
    "kvpairs",
    "layer",
    "searcher_cache",
    "optimizer",
    "rank_sort",
    "final_sort",
    "level",
    "analyzer",
    "aux_query",
    "aux_filter",
    "pkfilter",
)
"""All clauses in the order in which the engine parses them; pkfilter is taken as it is."""
KNOWN = frozenset(ORDER)


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause's name and where its trimmed value stands."""

    name: str
    span: Span
    value: Span


def trimmed(text: str, start: int, end: int) -> Span:
    """The part of [start, end) without blanks around it; a picture's text is copied only where there are some."""
    if start < end and text[start] in BLANKS:
        start = end - len(text[start:end].lstrip(BLANKS))
    if start < end and text[end - 1] in BLANKS:
        end = start + len(text[start:end].rstrip(BLANKS))
    return Span(start, end)


def unescaped(text: str) -> str:
    """A backslash takes the next character as it is, and is dropped at the end; a tenth of a regex's time."""
    if "\\" not in text:
        return text
    return "\\".join(part.replace("\\", "") for part in text.split("\\\\"))


def lone_backslash(text: str, start: int, end: int) -> int:
    """Where the first backslash of a quoted token stands that neither another nor the quote follows; -1: nowhere."""
    if text.find("\\", start, end) < 0:
        return -1
    known = _KNOWN_ESCAPES[text[start]].match(text, start + 1, end - 1)
    at = end if known is None else known.end()
    return at if at < end - 1 else -1


def pieces(text: str, span: Span, separator: str) -> Iterator[Span]:
    """The non-empty trimmed parts of a span between separators. Raises RequestError 1002 over MAX_PIECES."""
    start, count = span.start, 0
    while start <= span.end:
        count += 1
        if count > MAX_PIECES:
            message = f"more than {MAX_PIECES} parts between {separator!r}"
            raise RequestError(message, code=HaCode.KEY_VALUE_PAIR, span=Span(start, start))
        at = _find(text, separator, start, span.end)
        end = span.end if at < 0 else at
        piece = trimmed(text, start, end)
        if piece.start < piece.end:
            yield piece
        start = end + len(separator)


def _find(text: str, separator: str, start: int, end: int) -> int:
    """``str.find``, which looks for one character ten times as fast as for two: a picture's text has few ``&``."""
    at = text.find(separator[0], start, end)
    for _ in range(_HOPS):
        if at < 0 or text.startswith(separator, at, end):
            return at
        at = text.find(separator[0], at + 1, end)
    return text.find(separator, at, end) if at >= 0 else at


def pair(text: str, span: Span, separator: str, code: HaCode, what: str) -> tuple[Text, Text]:
    """The two parts of ``key:value``, neither empty. Raises RequestError ``code``."""
    parts = list(pieces(text, span, separator))
    if len(parts) != 2:  # noqa: PLR2004 - a key and a value
        message = f"{what} takes key{separator}value, not {text[span.start : span.end][:80]!r}"
        raise RequestError(message, code=code, span=span)
    key, value = parts
    return Text(text[key.start : key.end], key), Text(text[value.start : value.end], value)


def texts(text: str, span: Span, separator: str) -> tuple[str, ...]:
    return tuple(text[piece.start : piece.end] for piece in pieces(text, span, separator))


def split_clauses(text: str, remarks: list[Remark]) -> dict[str, Clause]:
    """Clauses by name, the last of a name winning. Raises RequestError 1050, 1002, 1056."""
    if not text:
        raise RequestError("the request is empty", code=HaCode.EMPTY_QUERY_STRING, span=Span(0, 0))
    found: dict[str, Clause] = {}
    for piece in pieces(text, Span(0, len(text)), "&&"):
        clause = _clause(text, piece)
        if clause.name in found:
            message = f"the clause {clause.name} is given more than once: the last one counts"
            remarks.append(Remark(message, HaCode.KEY_VALUE_PAIR, found[clause.name].span))
        found[clause.name] = clause
    if not found:
        raise RequestError("the request has no clause", code=HaCode.KEY_VALUE_PAIR, span=Span(0, len(text)))
    return found


def _clause(text: str, piece: Span) -> Clause:
    equals = text.find("=", piece.start, piece.end)
    if equals < 0:
        shown = excerpt(text[piece.start : piece.end])
        message = f"missing '=' in clause {shown!r}{_hint(text, piece, piece.end)}"
        raise RequestError(message, code=HaCode.KEY_VALUE_PAIR, span=piece)
    name = trimmed(text, piece.start, equals)
    key = text[name.start : name.end]
    if key not in KNOWN:
        message = f"unknown clause {excerpt(key)!r}{_hint(text, piece, equals)}"
        raise RequestError(message, code=HaCode.UNKNOWN_CLAUSE, span=name)
    return Clause(key, piece, trimmed(text, equals + 1, piece.end))


def _hint(text: str, piece: Span, end: int) -> str:
    """What the console's query box takes lacks ``query=``; that looks like index:'…'."""
    boxed = any(mark in text[piece.start : min(end, piece.start + 200)] for mark in (":'", ': "', ": '", ':"'))
    return "; put query= in front of the query" if boxed else ""
