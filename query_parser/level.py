"""The level clause: clusters to ask when the first ones have too little."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clause_nodes import Level
from query_parser.clauses import pair, pieces, texts
from query_parser.nodes import Remark, Text
from query_parser.numbers import uint32


def parse_level(text: str, span: Span, remarks: list[Remark]) -> Level:
    """Raises RequestError 1002, 2700."""
    clusters: tuple[tuple[str, ...], ...] = ()
    use, kind, least = True, None, None
    for piece in pieces(text, span, ","):
        key, value = pair(text, piece, ":", HaCode.KEY_VALUE_PAIR, "level")
        match key.text:
            case "second_level_cluster" | "level_clusters":
                if clusters:
                    raise _wrong("second_level_cluster and level_clusters are given once, and not both", piece)
                clusters = _clusters(text, key, value)
            case "uselevel":
                use = use and value.text != "no"
            case "level_type" if value.text in ("both", "good"):
                kind = value.text
            case "min_docs":
                least = uint32(value.text)
                if least is None:
                    raise _wrong(f"min_docs takes a whole number below 2^32, not {value.text[:80]!r}", value.span)
            case _:
                message = f"level knows no {key.text[:80]}:{value.text[:80]}: ignored"
                remarks.append(Remark(message, HaCode.LEVEL_CLAUSE, piece))
    return Level(clusters, use, kind, least, span)


def _clusters(text: str, key: Text, value: Text) -> tuple[tuple[str, ...], ...]:
    if key.text == "second_level_cluster":
        return ((value.text,),)
    found = tuple(names for part in pieces(text, value.span, ";") if (names := texts(text, part, "&")))
    if not found:
        raise _wrong("level_clusters names no cluster", value.span)
    return found


def _wrong(message: str, span: Span) -> RequestError:
    return RequestError(message, code=HaCode.LEVEL_CLAUSE, span=span)
