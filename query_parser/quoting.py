r"""What the engine's scanners do beside tokens, the same for query and filter clauses.

Inside quotes they know ``\\`` and a backslash before the quote itself, and drop any other backslash. Characters
outside their alphabet are dropped, and a quote without an end ends the clause where it opens.
"""

from __future__ import annotations

import re

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.nodes import Remark

MAX_TOKENS = 65_536
"""More words and signs than this are refused before the grammar sees them: its time per token is microseconds."""

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_STRING = re.compile(r"""'[^'\\]*+(?:\\.[^'\\]*+)*+'|"[^"\\]*+(?:\\.[^"\\]*+)*+\"""", re.DOTALL)
QUERY_TOKEN = re.compile(
    r"""(?P<quote>['"])|[A-Za-z0-9_.\-+*/!`?~\\%$\u2e80-\u9fff\uff00-\uffef]++|[=<>|&:;,()\[\]\^#@]|"""
    r"""(?P<dropped>[^ \t'"A-Za-z0-9_.\-+*/!`?~\\%$\u2e80-\u9fff\uff00-\uffef=<>|&:;,()\[\]\^#@]++)"""
)
EXPR_TOKEN = re.compile(
    r"""(?P<quote>['"])|[A-Za-z_][A-Za-z0-9_]*+(?:\.[A-Za-z_][A-Za-z0-9_]*+)?|[0-9]++(?:\.[0-9]++)?|!=|"""
    r"""[=<>|&\^+\-*/(),%~:#;\[\]{}]|(?P<dropped>(?:!(?!=)|[^ \t'"A-Za-z0-9_=<>|&\^+\-*/(),%~:#;\[\]{}!])++)"""
)


def unquoted(token: str) -> str:
    """The text inside a quoted token."""
    inner = token[1:-1]
    return _ESCAPE.sub(r"\1", inner) if "\\" in inner else inner


def what_is_read(tokens: re.Pattern[str], text: str, span: Span, code: HaCode, remarks: list[Remark]) -> Span:
    """The part of a clause that the engine reads; what it drops is added to ``remarks``.

    Raises RequestError with ``code`` for more than MAX_TOKENS tokens.
    """
    at, count = span.start, 0
    while found := tokens.search(text, at, span.end):
        at, count = found.end(), count + 1
        if count > MAX_TOKENS:
            raise RequestError(f"more than {MAX_TOKENS} words and signs", code=code, span=Span(*found.span()))
        if found["quote"] is not None:
            at = _string_end(text, found.start(), span.end, code, remarks)
            if at < 0:
                where = Span(found.start(), span.end)
                remarks.append(Remark("a quote is not closed: everything from it on was dropped", code, where))
                return Span(span.start, found.start())
        elif found["dropped"] is not None:
            shown = found["dropped"][:20]
            remarks.append(Remark(f"{shown!r} outside quotes was dropped", code, Span(*found.span())))
    return span


def _string_end(text: str, start: int, end: int, code: HaCode, remarks: list[Remark]) -> int:
    """Where the string that opens at ``start`` ends, or -1. Megabytes without escapes are only searched."""
    close = text.find(text[start], start + 1, end)
    if close < 0 or text.find("\\", start, close) < 0:
        return close + 1 if close >= 0 else -1
    whole = _STRING.match(text, start, end)
    if whole is None:
        return -1
    for found in _ESCAPE.finditer(text, start, whole.end()):
        if found[1] not in ("\\", text[start]):
            where = Span(found.start(), found.start() + 1)
            remarks.append(Remark(f"a backslash before {found[1]!r} was dropped", code, where))
            break
    return whole.end()
