"""The distinct clause: descriptions separated by ``;``, of which ``none_dist`` is an empty one."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clause_nodes import DistinctItem
from query_parser.clauses import pieces
from query_parser.descriptions import Reader, choice_reader, int32_reader, numbers_reader, read_description
from query_parser.expr import expression
from query_parser.nodes import Remark
from query_parser.tokens import END, Tokens

_FLAG = {"true": True, "false": False}
_numbers = numbers_reader("|")


def _grades(tokens: Tokens) -> tuple[float, ...]:
    return tuple(sorted(map(float, _numbers(tokens))))


_READERS: dict[str, Reader] = {
    "dist_key": expression,
    "dist_count": int32_reader(HaCode.DISTINCT_COUNT, "dist_count"),
    "dist_times": int32_reader(HaCode.DISTINCT_TIMES, "dist_times"),
    "max_item_count": int32_reader(HaCode.DISTINCT_MAX_ITEM_COUNT, "max_item_count"),
    "reserved": choice_reader(HaCode.DISTINCT_RESERVED_FLAG, "reserved", _FLAG),
    "update_total_hit": choice_reader(HaCode.DISTINCT_UPDATE_TOTAL_HIT_FLAG, "update_total_hit", _FLAG),
    "dbmodule": Tokens.name,
    "dist_filter": expression,
    "grade": _grades,
}
_FIELDS = {
    "dist_key": "key",
    "dist_count": "count",
    "dist_times": "times",
    "dbmodule": "module",
    "dist_filter": "filter",
    "grade": "grades",
}


def parse_distinct(text: str, span: Span, remarks: list[Remark]) -> tuple[DistinctItem | None, ...]:
    """Raises RequestError 1055, 1073 for a description without dist_key, 1070, 1071, 1072, 1077, 1078."""
    items = [_item(text, piece, remarks) for piece in pieces(text, span, ";")]
    if not items:
        raise RequestError("the distinct clause is empty", code=HaCode.DISTINCT_CLAUSE, span=span)
    return tuple(items)


def _item(text: str, piece: Span, remarks: list[Remark]) -> DistinctItem | None:
    if text[piece.start : piece.end] == "none_dist":
        return None
    tokens = Tokens(text, piece, HaCode.DISTINCT_CLAUSE, remarks)
    values = read_description(tokens, _READERS)
    if tokens.kind != END:
        raise tokens.unexpected()
    if "dist_key" not in values:
        raise RequestError("distinct needs a dist_key", code=HaCode.DISTINCT_MISS_KEY, span=piece)
    return DistinctItem(span=piece, **{_FIELDS.get(name, name): value for name, value in values.items()})
