r"""Quotes and stray characters, the same in query and filter clauses.

Inside quotes the engine knows ``\\`` and a backslash before the quote itself; it drops any other backslash.
Characters outside its alphabet are dropped, and a quote without an end ends the clause where it opens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from havengate.codes import HaCode
from havengate.types import Span
from query_parser.nodes import Remark

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BLANKS = " \t"
_STRINGS = r"""'[^'\\]*+(?:\\.[^'\\]*+)*+'|"[^"\\]*+(?:\\.[^"\\]*+)*+"|(?P<open>['"])|"""
QUERY_SCRAPS = re.compile(
    _STRINGS + r"""(?P<dropped>[^A-Za-z0-9_.\-+*/!`?~\\%$\u2e80-\u9fff\uff00-\uffef'"=<>|&:;,()\[\]\^#@ \t]++)""",
    re.DOTALL,
)
EXPR_SCRAPS = re.compile(
    _STRINGS + r"""[A-Za-z_][A-Za-z0-9_]*+\.[A-Za-z_]|[0-9]\.[0-9]|"""
    r"""(?P<dropped>(?:!(?!=)|[^A-Za-z0-9_'"=<>|&\^+\-*/(),%~:#;\[\]{}! \t])++)""",
    re.DOTALL,
)


def unquoted(token: str) -> str:
    """The text inside a quoted token."""
    inner = token[1:-1]
    return _ESCAPE.sub(r"\1", inner) if "\\" in inner else inner


def without_scraps(scraps: re.Pattern[str], text: str, span: Span, code: HaCode, remarks: list[Remark]) -> Span:
    """The part of a clause that the engine reads; what it drops is added to ``remarks``."""
    for found in scraps.finditer(text, span.start, span.end):
        if found["open"] is not None:
            where = Span(found.start(), span.end)
            remarks.append(Remark("a quote is not closed: everything from it on was dropped", code, where))
            return Span(span.start, found.start())
        if found["dropped"] is not None:
            shown = found["dropped"][:20]
            remarks.append(Remark(f"{shown!r} outside quotes was dropped", code, Span(*found.span())))
        elif text.find("\\", *found.span()) >= 0:
            remarks.extend(_lone_backslashes(text, Span(*found.span()), code))
    return span


def _lone_backslashes(text: str, span: Span, code: HaCode) -> Iterator[Remark]:
    quote = text[span.start]
    for found in _ESCAPE.finditer(text, span.start, span.end):
        if found[1] not in ("\\", quote):
            where = Span(found.start(), found.start() + 1)
            yield Remark(f"a backslash before {found[1]!r} was dropped", code, where)
            return
