"""The layer clause: which rows to look at first, and how many of them."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.types import Span
from query_parser.clause_nodes import Layer, LayerRange
from query_parser.descriptions import read_description, whole
from query_parser.nodes import Remark
from query_parser.numbers import uint32
from query_parser.tokens import END, Tokens

_UNLIMITED = "UNLIMITED"
_QUOTA_TYPES = 3


def parse_layer(text: str, span: Span, remarks: list[Remark]) -> tuple[Layer, ...]:
    """Raises RequestError 2040."""
    tokens = Tokens(text, span, HaCode.LAYER_CLAUSE, remarks)
    layers = [_layer(tokens, remarks)]
    while tokens.accept(";"):
        layers.append(_layer(tokens, remarks))
    if tokens.kind != END:
        raise tokens.unexpected()
    return tuple(layers)


def _layer(tokens: Tokens, remarks: list[Remark]) -> Layer:
    start = tokens.starts[tokens.at]
    values = read_description(tokens, {"quota": _quota, "range": _ranges})
    quota, kind = values.get("quota", (_UNLIMITED, "0"))
    count, number = uint32(quota), uint32(kind)
    where = Span(start, tokens.ends[tokens.at - 1])
    if quota != _UNLIMITED and count is None:
        remarks.append(Remark(f"quota:{quota[:40]} is out of range: ignored", HaCode.LAYER_CLAUSE, where))
        number = 0
    elif number is None or number >= _QUOTA_TYPES:
        remarks.append(Remark(f"there is no quota type {kind[:40]}: 0", HaCode.LAYER_CLAUSE, where))
        number = 0
    return Layer(values.get("range", ()), count, number)


def _quota(tokens: Tokens) -> tuple[str, str]:
    unlimited = tokens.word(tokens.at) == _UNLIMITED and tokens.accept("name")
    quota = _UNLIMITED if unlimited else tokens.take("integer")
    return quota, tokens.take("integer") if tokens.accept("#") else "0"


def _ranges(tokens: Tokens) -> tuple[LayerRange, ...]:
    found = [_range(tokens)]
    while tokens.accept("*"):
        found.append(_range(tokens))
    return tuple(found)


def _range(tokens: Tokens) -> LayerRange:
    at = tokens.at
    name = f"%{tokens.name()}" if tokens.accept("%") else tokens.name()
    if not tokens.accept("{"):
        return LayerRange(name, span=whole(tokens, at))
    values: list[str] = []
    ranges: list[tuple[str | None, str | None]] = []
    while True:
        if tokens.accept("["):
            ranges.append(_between(tokens))
        else:
            values.append(_value(tokens))
        if not tokens.accept(","):
            break
    tokens.take("}")
    return LayerRange(name, tuple(values), tuple(ranges), whole(tokens, at))


def _between(tokens: Tokens) -> tuple[str | None, str | None]:
    low = None if tokens.kind == "," else _value(tokens)
    tokens.take(",")
    high = None if tokens.kind in ("]", ")") else _value(tokens)
    tokens.take("]", ")")
    return low, high


def _value(tokens: Tokens) -> str:
    sign = "-" if tokens.accept("-") else ""
    return sign + tokens.take("integer", "float")
