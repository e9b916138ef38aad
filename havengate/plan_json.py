"""The plan's versioned JSON form: POST /v1/tables/{t}/search takes it, ``havengate explain`` prints it.

Each node is an object with one key, the node's kind: ``{"vector": {...}}``, ``{"and": [...]}``,
``{"compare": {"op": "=", "left": {"field": "cate_id"}, "right": 3}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import (
    PLAN_VERSION,
    Aggregate,
    And,
    AndNot,
    Arith,
    BoolNode,
    Compare,
    Contains,
    Distinct,
    Exists,
    Expr,
    Field,
    In,
    Literal,
    Match,
    Not,
    NumberTerm,
    Operand,
    Or,
    Payload,
    PicturePayload,
    Range,
    RankNode,
    SearchPlan,
    SortKey,
    StoredIdPayload,
    TextPayload,
    TextTerm,
    VectorPayload,
    VectorTerm,
    operand_text,
)

Json = dict[str, Any]
_PICTURE_SHOWN = 40


def plan_to_json(plan: SearchPlan, *, whole_pictures: bool = True) -> Json:
    """The plan without spans and warnings; ``whole_pictures=False`` cuts Base64 for people to read.

    Raises RequestError for a plan that sorts, groups or computes by a constant, which no table takes.
    """
    out: Json = {"version": PLAN_VERSION, "table": plan.table}
    if plan.query is not None:
        out["query"] = _node(plan.query, whole_pictures)
    if plan.filter is not None:
        out["filter"] = _expr(plan.filter)
    out |= {
        "filter_mode": plan.filter_mode,
        "rank": {"proxima_score": plan.rank.proxima_index},
        "sort": [_sort_key(key) for key in plan.sort],
    }
    if plan.distinct is not None:
        out["distinct"] = _distinct(plan.distinct)
    if plan.aggregates:
        out["aggregates"] = [_aggregate(aggregate) for aggregate in plan.aggregates]
    return out | {
        "offset": plan.offset,
        "limit": plan.limit,
        "output_fields": None if plan.output_fields is None else list(plan.output_fields),
    }


def plan_from_json(table: str, body: Mapping[str, Any]) -> SearchPlan:
    """The plan of a JSON body; ``table`` is the one in the URL. Raises RequestError with the JSON path."""
    from havengate.plan_models import PlanModel, read_model

    model = read_model(PlanModel, body)
    if model.table not in (None, table):
        raise RequestError(f"table: the plan names {model.table!r}, the URL {table!r}", code=HaCode.PARSE_SYNTAX)
    return model.to_plan(table)


def _sort_key(key: SortKey) -> Json:
    return {"by": "RANK" if key.by is None else _by(key.by), "descending": key.descending}


def _by(operand: Operand) -> Any:
    """Where a text names a field."""
    match operand:
        case Field():
            return operand_text(operand)
        case Arith():
            return _operand(operand)
        case Literal():
            message = f"a field is needed, not the constant {operand_text(operand)}"
            raise RequestError(message, code=HaCode.EXPRESSION_LR_ALL_CONST_VALUE, span=operand.span)


def _distinct(distinct: Distinct) -> Json:
    return {
        "key": _by(distinct.key),
        "count": distinct.count,
        "times": distinct.times,
        "reserved": distinct.reserved,
        "filter": None if distinct.filter is None else _expr(distinct.filter),
        "update_total": distinct.update_total,
        "grades": list(distinct.grades),
    }


def _aggregate(aggregate: Aggregate) -> Json:
    return {
        "keys": [_by(key) for key in aggregate.keys],
        "functions": [
            {"name": function.name, "value": None if function.value is None else _by(function.value)}
            for function in aggregate.functions
        ],
        "ranges": list(aggregate.ranges),
        "filter": None if aggregate.filter is None else _expr(aggregate.filter),
        "max_group": aggregate.max_group,
    }


def _node(node: BoolNode, whole: bool) -> Json:
    match node:
        case And(items):
            return {"and": [_node(item, whole) for item in items]}
        case Or(items):
            return {"or": [_node(item, whole) for item in items]}
        case AndNot(keep, drop):
            return {"andnot": [_node(keep, whole), _node(drop, whole)]}
        case RankNode(keep, boosts):
            return {"rank": [_node(item, whole) for item in (keep, *boosts)]}
        case VectorTerm():
            return {"vector": _vector_term(node, whole)}
        case TextTerm() | NumberTerm():
            return _weighed_term(node)


def _weighed_term(term: TextTerm | NumberTerm) -> Json:
    if isinstance(term, TextTerm):
        return {"text": {"index": term.index, "text": term.text, "phrase": term.phrase, "weight": term.weight}}
    return {"number": {"index": term.index, **_ends(term, term.low, term.high), "weight": term.weight}}


def _ends(part: NumberTerm | Range, low: float | str | None, high: float | str | None) -> Json:
    return {"low": low, "high": high, "include_low": part.include_low, "include_high": part.include_high}


def _vector_term(term: VectorTerm, whole: bool) -> Json:
    out: Json = {"index": term.index, **_payload(term.payload, whole), "n": term.n}
    if term.score_threshold is not None:
        out["score_threshold"] = term.score_threshold
    if term.search_params:
        out["search_params"] = dict(term.search_params)
    if term.categories:
        out["categories"] = list(term.categories)
    return out


def _payload(payload: Payload, whole: bool) -> Json:
    match payload:
        case VectorPayload(vectors):
            return {"vectors": [list(vector) for vector in vectors]}
        case TextPayload(text):
            return {"text": text}
        case StoredIdPayload(pk):
            return {"stored_id": pk}
        case PicturePayload(base64, crop):
            cut = not whole and len(base64) > _PICTURE_SHOWN
            shown = f"{base64[:_PICTURE_SHOWN]}… ({len(base64)} characters)" if cut else base64
            return {"picture": shown, "crop": True} if crop else {"picture": shown}


def _expr(expr: Expr) -> Json:
    match expr:
        case And(items):
            return {"and": [_expr(item) for item in items]}
        case Or(items):
            return {"or": [_expr(item) for item in items]}
        case Not(item):
            return {"not": _expr(item)}
        case Compare(op, left, right):
            return {"compare": {"op": op, "left": _operand(left), "right": _operand(right)}}
        case _:
            return _field_expr(expr)


def _field_expr(expr: In | Range | Contains | Exists | Match) -> Json:
    named: Json = {"field": operand_text(expr.field)}
    match expr:
        case In(_, values):
            return {"in": named | {"values": [value.value for value in values]}}
        case Range(_, low, high):
            ends = [None if end is None else end.value for end in (low, high)]
            return {"range": named | _ends(expr, *ends)}
        case Contains(_, value):
            return {"contains": named | {"value": value.value}}
        case Exists():
            return {"exists": named}
        case Match(_, text, phrase):
            return {"match": named | {"text": text, "phrase": phrase}}


def _operand(operand: Operand) -> Any:
    match operand:
        case Field():
            return {"field": operand_text(operand)}
        case Arith(op, left, right):
            return {"arith": {"op": op, "left": _operand(left), "right": _operand(right)}}
        case Literal(value):
            return value
