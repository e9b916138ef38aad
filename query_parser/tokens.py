r"""The tokens of expressions and of the clauses that are made of them, as the engine's ClauseScanner.ll cuts them.

Beyond the engine: texts in single quotes, and one dotted path (``tags.colour``). What belongs to no token is dropped;
a quote without an end ends the clause where it opens, a NUL character where it stands. Inside quotes ``\\`` and a
backslash before the quote itself are known, any other backslash is dropped. Blanks that stand alone between double
quotes or backslashes are dropped, too: the engine's rule for blanks comes before that for texts.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clauses import lone_backslash, unescaped
from query_parser.nodes import Remark

MAX_TOKENS = 65_536
"""More words and signs than this are refused."""

END = "end of text"
_LAST_DIGITS = 300
"""A number of so many digits is still finite as a double."""

_TOKEN = re.compile(
    r"""
    [ \t]*+(?:
    (?P<reserved>(?:AND|OR|RANK|refresh_attributes)(?![A-Za-z0-9_]))
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*+(?:\.[A-Za-z_][A-Za-z0-9_]*+)?)
  | (?P<float>[0-9]++\.[0-9]++)
  | (?P<integer>0[xX][0-9a-fA-F]++|[0-9]++)
  | (?P<sign>!=|<=|>=|[=<>%()+*\-/|^&~:\#,;\[\]{}])
  | (?P<text>"[^"\\]*+(?:\\.[^"\\]*+)*+"|'[^'\\]*+(?:\\.[^'\\]*+)*+')
  | (?P<open>["'])
  | (?P<dropped>(?:!(?!=)|[^\ \tA-Za-z0-9_'"=<>%()+*\-/|^&~:\#,;\[\]{}!])++)
  | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_LONE_BLANKS = re.compile(r"(?<=[\"\\])[ \t]++(?=[\"\\])")


class Tokens:
    """A cursor over the tokens of one clause; the last kind is END.

    A kind is name, integer, float or text, the sign itself, or a reserved word itself.
    """

    __slots__ = ("at", "code", "ends", "kinds", "starts", "text")

    def __init__(self, text: str, span: Span, code: HaCode, remarks: list[Remark]) -> None:
        """Raises RequestError with ``code`` over MAX_TOKENS; what is dropped goes to ``remarks``."""
        self.text, self.code, self.at = text, code, 0
        self.kinds: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        end = self._scan(span, remarks)
        self.kinds.append(END)
        self.starts.append(end)
        self.ends.append(end)

    def _scan(self, span: Span, remarks: list[Remark]) -> int:
        kinds, starts, ends = self.kinds, self.starts, self.ends
        nul = self.text.find("\0", span.start, span.end)
        if nul >= 0:
            message = "everything from a NUL character on was dropped"
            remarks.append(Remark(message, self.code, Span(nul, span.end)))
            span = Span(span.start, nul)
        for count, found in enumerate(_TOKEN.finditer(self.text, span.start, span.end)):
            kind = found.lastgroup or ""
            start, end = found.span(kind)
            if count > MAX_TOKENS:
                raise RequestError(f"more than {MAX_TOKENS} words and signs", code=self.code, span=Span(start, end))
            match kind:
                case "dropped":
                    message = f"{self.text[start : min(end, start + 20)]!r} outside quotes was dropped"
                    remarks.append(Remark(message, self.code, Span(start, end)))
                    continue
                case "open":
                    message = "a quote is not closed: everything from it on was dropped"
                    remarks.append(Remark(message, self.code, Span(start, span.end)))
                    return start
                case "text":
                    kinds.append("text")
                    remarks.extend(self._lost_blanks(start, end))
                    remarks.extend(self._lost_backslash(start, end))
                case "sign" | "reserved":
                    kinds.append(found[kind])
                case "end":
                    break
                case _:
                    kinds.append(kind)
            starts.append(start)
            ends.append(end)
        return span.end

    def _lost_backslash(self, start: int, end: int) -> list[Remark]:
        at = lone_backslash(self.text, start, end)
        if at < 0:
            return []
        return [Remark(f"a backslash before {self.text[at + 1]!r} was dropped", self.code, Span(at, at + 1))]

    def _lost_blanks(self, start: int, end: int) -> list[Remark]:
        found = _LONE_BLANKS.search(self.text, start, end) if self.text[start] == '"' else None
        if found is None:
            return []
        return [Remark("blanks alone in double quotes were dropped", self.code, Span(*found.span()))]

    @property
    def kind(self) -> str:
        return self.kinds[self.at]

    def span(self, at: int) -> Span:
        return Span(self.starts[at], self.ends[at])

    def word(self, at: int) -> str:
        """A token as it is written."""
        return self.text[self.starts[at] : self.ends[at]]

    def accept(self, kind: str) -> bool:
        """Steps over the next token if it is of this kind."""
        if self.kinds[self.at] != kind:
            return False
        self.at += 1
        return True

    def take(self, *kinds: str) -> str:
        """The next token as it is written. Raises RequestError if it is of none of these kinds."""
        if self.kinds[self.at] not in kinds:
            raise self.unexpected(kinds)
        self.at += 1
        return self.word(self.at - 1)

    def name(self) -> str:
        """A name that may be one of the clauses' keywords, but no path."""
        name = self.take("name")
        if "." in name:
            raise self.unexpected((), self.at - 1)
        return name

    def identifier(self) -> str:
        """A name that is no keyword of any clause."""
        name = self.name()
        if name in KEYWORDS:
            raise self.unexpected((), self.at - 1)
        return name

    def signed_number(self) -> int | float:
        """``[-]INTEGER`` or ``[-]FLOAT``."""
        sign = -1 if self.accept("-") else 1
        return sign * number(self.take("integer", "float"), self) + 0  # no zero below zero

    def unexpected(self, expected: Collection[str] = (), at: int | None = None) -> RequestError:
        """The error that a token is not one of those that may stand here."""
        where = self.at if at is None else at
        shown = END if self.kinds[where] == END else repr(self.word(where)[:40])
        hint = f", expecting {' or '.join(expected)}" if expected else ""
        return RequestError(f"syntax error, unexpected {shown}{hint}", code=self.code, span=self.span(where))


def number(source: str, tokens: Tokens) -> int | float:
    """Decimal, hexadecimal or with a point. Raises RequestError for more than _LAST_DIGITS digits."""
    if len(source) > _LAST_DIGITS:
        message = f"the number {source[:40]}… is too long"
        raise RequestError(message, code=tokens.code, span=tokens.span(tokens.at - 1))
    if "." in source:
        return float(source)
    return int(source, 16 if source[1:2] in ("x", "X") else 10)


def unquoted(token: str) -> str:
    """The text inside a quoted token."""
    if token[0] == '"':
        token = _LONE_BLANKS.sub("", token)
    return unescaped(token[1:-1])


def quoted(text: str) -> str:
    """A text as the engine prints it, or in single quotes, which keep all, where it would lose blanks."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    shown = f'"{text}"' if '"' not in text else '"' + text.replace('"', '\\"') + '"'
    if _LONE_BLANKS.search(shown) is None:
        return shown
    return "'" + text.replace("'", "\\'") + "'"


_KEYWORDS = (
    "dist_key dist_count dist_times max_item_count reserved update_total_hit dbmodule dist_filter grade group_key "
    "range agg_fun max min count sum distinct_count agg_filter agg_sampler_threshold agg_sampler_step max_group quota "
    "UNLIMITED key use cur_time expire_time cache_filter cache_doc_num_limit sort percent"
)
KEYWORDS = frozenset(_KEYWORDS.split())
"""What has a meaning of its own in some clause; each may name a field, too."""
OPENING = KEYWORDS - frozenset({"max", "min", "count", "sum", "distinct_count", "UNLIMITED"})
"""Keywords that open a description when a ``:`` follows: no virtual attribute is read there."""
