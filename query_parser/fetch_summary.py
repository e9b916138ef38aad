"""The fetch_summary clause: rows by the keys that an earlier answer gave out, or by their primary keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clause_nodes import FetchSummary
from query_parser.clauses import BLANKS, MAX_PIECES, pieces, unescaped
from query_parser.nodes import Remark, Text

By = Literal["docid", "pk", "rawpk"]

_UINT16, _UINT32 = 2**16 - 1, 2**32 - 1
_PLAIN = re.compile(r"0|-?[1-9][0-9]{0,9}")
_HASHED = re.compile(r"[0-9a-f]{0,32}")
_ESCAPED = re.compile(r"[^\\]*+(?:\\.[^\\]*+)*+", re.DOTALL)
_PART = {separator: re.compile(rf"[^{separator}\\]*+(?:\\.[^{separator}\\]*+)*+", re.DOTALL) for separator in ":,;"}


def parse_fetch_summary(text: str, span: Span, _remarks: list[Remark], by: By = "docid") -> FetchSummary:
    """``by`` is config's fetch_summary_type. Raises RequestError 2080."""
    if span.start == span.end:
        raise _wrong("the fetch_summary clause is empty", span)
    if by == "rawpk":
        return FetchSummary(by, tuple(_raw_keys(text, span)))
    return FetchSummary(by, tuple(_gid(text, piece) for piece in pieces(text, span, ",")))


def _gid(text: str, piece: Span) -> tuple[str, Text]:
    """``cluster|full version|version|hash|docid|pk|ip``, or without pk and ip between ``_``."""
    gid = text[piece.start : piece.end]
    cluster, *fields = gid.rsplit("|", 6) if "|" in gid else gid.rsplit("_", 4)
    if "|" in gid and len(fields) == 6:  # noqa: PLR2004 - see above
        *fields, key, ip = fields
        known = _HASHED.fullmatch(key) is not None and _is_number(ip, 0, _UINT32)
    else:
        known = "|" not in gid and len(fields) == 4  # noqa: PLR2004 - see above
    if not known or not cluster or not all(map(_is_number, fields, *zip(*_BOUNDS, strict=True))):
        raise _wrong(f"{gid[:80]!r} is no key of a row", piece)
    return cluster, Text(gid, piece)


_BOUNDS = ((0, _UINT32), (-(2**31), 2**31 - 1), (0, _UINT16), (-(2**31), 2**31 - 1))
"""Full version, version, hash and docid."""


def _is_number(source: str, low: int, high: int) -> bool:
    """The engine compares with the number as it prints it: no leading zeros."""
    return _PLAIN.fullmatch(source) is not None and low <= int(source) <= high


def _raw_keys(text: str, span: Span) -> Iterator[tuple[str, Text]]:
    """``cluster:pk,pk;cluster:pk``; a backslash takes the next character as it is. At most MAX_PIECES in all."""
    count = 0
    if _ESCAPED.fullmatch(text, span.start, span.end) is None:
        raise _wrong("nothing follows the last backslash", Span(span.end - 1, span.end))
    groups = _unescaped(text, span, ";")
    for group in groups if groups[-1].start < span.end else groups[:-1]:
        cluster, *rest = _unescaped(text, group, ":")
        if len(rest) != 1 or len(_unescaped(text, cluster, ",")) > 1 or not _plain(text, cluster):
            raise _wrong("expected cluster:key,key", group)
        keys = [Text(_plain(text, part), part) for part in _unescaped(text, rest[0], ",")]
        if not keys[-1].text:
            keys.pop()
        if not keys or not all(key.text for key in keys):
            raise _wrong("a key is empty", group)
        count += len(keys)
        if count > MAX_PIECES:
            raise _too_many(group)
        for key in keys:
            yield _plain(text, cluster), key


def _unescaped(text: str, span: Span, separator: str) -> list[Span]:
    """The parts between separators that no backslash stands before; none of them ends in one."""
    parts, start, part = list[Span](), span.start, _PART[separator]
    while start <= span.end:
        found = part.match(text, start, span.end)
        end = span.end if found is None else found.end()
        parts.append(Span(start, end))
        if len(parts) > MAX_PIECES + 1:
            raise _too_many(parts[-1])
        start = end + 1
    return parts


def _plain(text: str, span: Span) -> str:
    return unescaped(text[span.start : span.end]).strip(BLANKS)


def _too_many(where: Span) -> RequestError:
    return _wrong(f"more than {MAX_PIECES} keys", where)


def _wrong(message: str, span: Span) -> RequestError:
    return RequestError(message, code=HaCode.FETCH_SUMMARY_CLAUSE, span=span)
