"""The aggregate clause: descriptions separated by ``;``, each with a group_key and functions."""

from __future__ import annotations

from typing import cast

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import AggregateName, Span
from query_parser.clause_nodes import AggregateCall, AggregateItem
from query_parser.clauses import pieces
from query_parser.descriptions import Reader, numbers_reader, read_description, whole
from query_parser.expr import expression
from query_parser.nodes import Expr, Remark
from query_parser.numbers import int32
from query_parser.show_expr import expr_text
from query_parser.tokens import END, Tokens

_FUNCTIONS = ("max", "min", "count", "sum", "distinct_count")


def parse_aggregate(text: str, span: Span, remarks: list[Remark]) -> tuple[AggregateItem, ...]:
    """Raises RequestError 1053."""
    items = [_item(text, piece, remarks) for piece in pieces(text, span, ";")]
    if not items:
        raise RequestError("the aggregate clause is empty", code=HaCode.AGGREGATE_CLAUSE, span=span)
    return tuple(items)


def _item(text: str, piece: Span, remarks: list[Remark]) -> AggregateItem:
    tokens = Tokens(text, piece, HaCode.AGGREGATE_CLAUSE, remarks)
    values = read_description(tokens, _READERS)
    if tokens.kind != END:
        raise tokens.unexpected()
    for name in ("group_key", "agg_fun"):
        if name not in values:
            raise RequestError(f"aggregate needs {name}", code=HaCode.AGGREGATE_CLAUSE, span=piece)
    most = _number(values, "max_group", piece, remarks)
    return AggregateItem(
        keys=values["group_key"],
        calls=_once(values["agg_fun"], remarks),
        span=piece,
        ranges=values.get("range", ()),
        filter=values.get("agg_filter"),
        max_group=None if most is None else max(0, most),
        sampler_threshold=_number(values, "agg_sampler_threshold", piece, remarks),
        sampler_step=_number(values, "agg_sampler_step", piece, remarks, least=1),
    )


def _number(
    values: dict[str, str], name: str, piece: Span, remarks: list[Remark], *, least: int | None = None
) -> int | None:
    """What is no number of 32 bits leaves the default, as in the engine's AggregateDescription."""
    if name not in values:
        return None
    found = int32(values[name])
    if found is None or (least is not None and found < least):
        message = f"{name}:{values[name][:40]} is out of range: ignored"
        remarks.append(Remark(message, HaCode.AGGREGATE_CLAUSE, piece))
        return None
    return found


def _once(calls: tuple[AggregateCall, ...], remarks: list[Remark]) -> tuple[AggregateCall, ...]:
    """A function that is named twice is computed once."""
    found: dict[str, AggregateCall] = {}
    for call in calls:
        shown = call_text(call)
        if shown in found:
            message = f"{shown[:80]} is named twice: computed once"
            remarks.append(Remark(message, HaCode.AGGREGATE_CLAUSE, call.span, engine_takes=True))
        found.setdefault(shown, call)
    return tuple(found.values())


def call_text(call: AggregateCall) -> str:
    return f"{call.name}({'' if call.value is None else expr_text(call.value)})"


def _keys(tokens: Tokens) -> tuple[Expr, ...]:
    if not tokens.accept("["):
        return (expression(tokens),)
    found = [expression(tokens)]
    while tokens.accept(","):
        found.append(expression(tokens))
    tokens.take("]")
    return tuple(found)


def _functions(tokens: Tokens) -> tuple[AggregateCall, ...]:
    found = [_function(tokens)]
    while tokens.accept("#"):
        found.append(_function(tokens))
    return tuple(found)


def _function(tokens: Tokens) -> AggregateCall:
    at = tokens.at
    name = tokens.word(at)
    if name not in _FUNCTIONS:
        raise tokens.unexpected(_FUNCTIONS)
    tokens.at += 1
    tokens.take("(")
    value = None if name == "count" else expression(tokens)
    tokens.take(")")
    return AggregateCall(cast("AggregateName", name), value, whole(tokens, at))


def _integer(tokens: Tokens) -> str:
    return tokens.take("integer")


def _signed(tokens: Tokens) -> str:
    sign = "-" if tokens.accept("-") else ""
    return sign + tokens.take("integer")


_READERS: dict[str, Reader] = {
    "group_key": _keys,
    "range": numbers_reader("~"),
    "agg_fun": _functions,
    "agg_filter": expression,
    "agg_sampler_threshold": _integer,
    "agg_sampler_step": _integer,
    "max_group": _signed,
}
