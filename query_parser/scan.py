r"""The tokens of a query clause, as the engine's Scanner.ll cuts them: the longest match, of equals the earlier rule.

Inside quotes it knows ``\\`` and a backslash before the quote itself, and drops any other backslash. It drops what
belongs to no token; a quote without an end and a NUL character end the clause where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clauses import lone_backslash
from query_parser.nodes import Remark

MAX_TOKENS = 2**19
"""More words and signs than this are refused: each takes some microseconds."""

_WORD = r"A-Za-z0-9_.\-+*/!`?~\\%$\u2e80-\u9fff\uff00-\uffef"
_SIGN = r"=<>|&:;,()\[\]\^#@"
# The first branch of a quoted text runs to the next quote ten times as fast as the second; a quote without a
# backslash before it ends the text in both.
_TOKEN = re.compile(
    rf"""
    (?P<IDENT>[A-Za-z_][A-Za-z0-9_]*+(?![{_WORD}]))
  | (?P<NUMBER>[+-]?[0-9]++(?![{_WORD}]))
  | (?P<WORD>[{_WORD}]++)
  | (?P<sign>\)[ \t]*+:|\|\||[<>]=|[{_SIGN}])
  | (?P<blank>[ \t]++)
  | (?P<QUOTED>'(?:[^']*+(?<!\\)'|[^'\\]*+(?:\\.[^'\\]*+)*+'))
  | (?P<PHRASE>"(?:[^"]*+(?<!\\)"|[^"\\]*+(?:\\.[^"\\]*+)*+"))
  | (?P<open>['"])
  | (?P<dropped>[^'"{_WORD}{_SIGN}]++)
    """,
    re.VERBOSE | re.DOTALL,
)
_KEYWORDS = {"AND": "_AND", "OR": "_OR", "ANDNOT": "_ANDNOT", "RANK": "_RANK"}
_SIGNS = {
    "=": "_EQ",
    "<": "_LT",
    "<=": "_LE",
    ">": "_GT",
    ">=": "_GE",
    "||": "_WEAKAND",
    "|": "_BAR",
    "&": "_AMP",
    "(": "_LPAR",
    ")": "_RPAR",
    "[": "_LBRA",
    "]": "_RBRA",
    ";": "_SEMI",
    ":": "_COLON",
    ",": "_COMMA",
    "^": "_CARET",
    "#": "_HASH",
    "@": "_AT",
}
_BLANKS = " \t"
_SHOWN = 20
_INT64_DIGITS = 19
_MAX_REMARKS = 50
"""More are not told: each would be an object, and a warning of the answer."""

Token = re.Match[str]
"""Where a token stands and how it is written."""


def tokens(text: str, span: Span, remarks: list[Remark], long_numbers: list[Token]) -> Iterator[tuple[str, Token]]:
    """The tokens of text[span], each with its kind; what is dropped is added to ``remarks``.

    ``long_numbers`` takes those that may have more than 64 bits.

    Raises RequestError 1051 for more than MAX_TOKENS tokens.
    """
    end = _readable_end(text, span, remarks)
    count = 0
    for found in _TOKEN.finditer(text, span.start, end):
        kind = found.lastgroup or ""
        if kind == "blank":
            continue
        if kind == "IDENT":
            kind = _KEYWORDS.get(found[0], kind)
        elif kind == "sign":
            kind = _SIGNS.get(found[0], "_RPAR_COLON")
        elif kind == "dropped":
            _tell(remarks, f"{found[0].rstrip(_BLANKS)[:_SHOWN]!r} outside quotes was dropped", *found.span())
            continue
        elif kind == "open":
            _tell(remarks, "a quote is not closed: everything from it on was dropped", found.start(), end)
            return
        elif kind == "NUMBER":
            long_numbers.extend([found] if found.end() - found.start() >= _INT64_DIGITS else ())
        elif kind != "WORD":
            _tell_lone_backslash(text, found, remarks)
        count += 1
        if count > MAX_TOKENS:
            message = f"more than {MAX_TOKENS} words and signs"
            raise RequestError(message, code=HaCode.QUERY_CLAUSE, span=Span(*found.span()))
        yield kind, found


def unquoted(token: str) -> str:
    """The text inside a quoted token; holds no NUL."""
    inner = token[1:-1]
    if "\\" not in inner:
        return inner
    # Pairs from the left stand for one backslash, any other goes.
    return inner.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")


def _readable_end(text: str, span: Span, remarks: list[Remark]) -> int:
    nul = text.find("\0", span.start, span.end)
    if nul < 0:
        return span.end
    _tell(remarks, "everything from a NUL character on was dropped", nul, span.end)
    return nul


def _tell_lone_backslash(text: str, found: Token, remarks: list[Remark]) -> None:
    at = lone_backslash(text, *found.span())
    if at >= 0:
        _tell(remarks, f"a backslash before {text[at + 1]!r} was dropped", at, at + 1)


def _tell(remarks: list[Remark], text: str, start: int, end: int) -> None:
    if len(remarks) < _MAX_REMARKS:
        remarks.append(Remark(text, HaCode.QUERY_CLAUSE, Span(start, end)))
