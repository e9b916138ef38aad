"""The rank clause: the engine's scoring profile, boosts of fields and a hint."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clause_nodes import RankClause
from query_parser.clauses import pieces, trimmed
from query_parser.nodes import Remark
from query_parser.numbers import int32


def parse_rank(text: str, span: Span, _remarks: list[Remark]) -> RankClause:
    """Raises RequestError 1002, 1060, 1061, 1062, 1063, 1066."""
    profile: str | None = None
    boosts: dict[tuple[str, str], int] = {}
    hint: str | None = None
    for piece in pieces(text, span, ","):
        colon = text.find(":", piece.start, piece.end)
        if colon < 0:
            raise _wrong("rank takes key:value", piece, HaCode.KEY_VALUE_PAIR)
        name, value = trimmed(text, piece.start, colon), trimmed(text, colon + 1, piece.end)
        match text[name.start : name.end]:
            case "rank_profile":
                profile = text[value.start : value.end]
            case "fieldboost":
                boosts = dict(_boost(text, each) for each in pieces(text, value, ";"))
            case "rank_hint":
                hint = text[value.start : value.end]
                if hint[:1] not in ("+", "-"):
                    raise _wrong("rank_hint takes +field or -field", piece, HaCode.PARSE_RANK_HINT)
            case other:
                raise _wrong(f"rank has no key {other[:80]!r}", name, HaCode.UNKNOWN_KEY)
    return RankClause(profile, tuple((*names, boost) for names, boost in boosts.items()), hint)


def _boost(text: str, span: Span) -> tuple[tuple[str, str], int]:
    """``index.field(10)``."""
    index, dot, rest = text[span.start : span.end].partition(".")
    if not dot:
        raise _wrong("fieldboost takes index.field(number)", span, HaCode.NO_DOT_FIELD_BOOST)
    opens, closes = rest.find("("), rest.rfind(")")
    if opens < 0 or closes < 0 or opens + 1 >= closes:
        raise _wrong("fieldboost takes index.field(number)", span, HaCode.FIELD_BOOST_CONFIG)
    boost = int32(rest[opens + 1 : closes].lstrip())
    if boost is None:
        message = f"a boost is a whole number of 32 bits, not {rest[opens + 1 : closes][:40]!r}"
        raise _wrong(message, span, HaCode.FIELD_BOOST_NUMBER)
    return (index.strip(), rest[:opens].strip()), boost


def _wrong(message: str, span: Span, code: HaCode) -> RequestError:
    return RequestError(message, code=code, span=span)
