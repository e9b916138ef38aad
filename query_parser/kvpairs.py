"""The kvpairs clause: ``key:value`` pairs separated by commas; a backslash takes the next character as it is."""

from __future__ import annotations

import re

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clauses import BLANKS, MAX_PIECES, pair, pieces, trimmed, unescaped
from query_parser.nodes import Text

_KEY = re.compile(r"[^:\\]*+(?:\\.[^:\\]*+)*+\\?", re.DOTALL)
_VALUE = re.compile(r"[^,\\]*+(?:\\.[^,\\]*+)*+\\?", re.DOTALL)


def parse_kvpairs(text: str, span: Span) -> dict[str, Text]:
    """Values by key, the last of a key winning. Raises RequestError 2090 for a key that nothing follows."""
    pairs: dict[str, Text] = {}
    start, count = span.start, 0
    while start < span.end:
        count += 1
        if count > MAX_PIECES:
            message = f"more than {MAX_PIECES} kvpairs"
            raise RequestError(message, code=HaCode.PARSE_KVPAIR_CLAUSE, span=Span(start, start))
        key, colon = _term(_KEY, text, start, span.end)
        if colon + 1 >= span.end:
            if key.text:
                message = f"kvpairs takes key:value pairs, {key.text[:80]!r} has no value"
                raise RequestError(message, code=HaCode.PARSE_KVPAIR_CLAUSE, span=key.span)
            break
        value, comma = _term(_VALUE, text, colon + 1, span.end)
        pairs[key.text] = value
        start = comma + 1
    return pairs


def parse_config_kvpairs(text: str, span: Span) -> dict[str, Text]:
    """``k#v;k#v`` as in config's key kvpairs. Raises RequestError 1002."""
    found = (pair(text, piece, "#", HaCode.KEY_VALUE_PAIR, "config kvpairs") for piece in pieces(text, span, ";"))
    return {key.text: value for key, value in found}


def _term(pattern: re.Pattern[str], text: str, start: int, end: int) -> tuple[Text, int]:
    """The trimmed text up to an unescaped separator, and where that is."""
    found = pattern.match(text, start, end)
    stop = start if found is None else found.end()
    where = trimmed(text, start, stop)
    return Text(unescaped(text[start:stop]).strip(BLANKS), where), stop
