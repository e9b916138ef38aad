"""The plan's versioned JSON form: POST /v1/tables/{t}/search takes it, ``havengate explain`` prints it.

Each node is an object with one key, the node's kind: ``{"vector": {...}}``, ``{"and": [...]}``,
``{"compare": {"op": "=", "left": {"field": "cate_id"}, "right": 3}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.expr_json import by_to_json, ends_to_json, expr_to_json, value_to_json
from havengate.types import (
    PLAN_VERSION,
    Aggregate,
    And,
    AndNot,
    AtLeast,
    BoolNode,
    Distinct,
    NumberTerm,
    Or,
    Payload,
    PicturePayload,
    RankNode,
    SearchPlan,
    SortKey,
    StoredIdPayload,
    TextPayload,
    TextTerm,
    VectorPayload,
    VectorTerm,
)

Json = dict[str, Any]
_PICTURE_SHOWN = 40


def plan_to_json(plan: SearchPlan, *, whole_pictures: bool = True) -> Json:
    """The plan without spans, warnings and notes; ``whole_pictures=False`` cuts Base64 for people to read.

    Raises RequestError for a plan that sorts, groups or computes by a constant, which no table takes.
    """
    out: Json = {"version": PLAN_VERSION, "table": plan.table}
    if plan.query is not None:
        out["query"] = _node(plan.query, whole_pictures)
    if plan.filter is not None:
        out["filter"] = expr_to_json(plan.filter)
    out |= {
        "filter_mode": plan.filter_mode,
        "rank": {"proxima_score": plan.rank.proxima_index},
        "sort": [_sort_key(key) for key in plan.sort],
    }
    if plan.distinct:
        distincts = [_distinct(distinct) for distinct in plan.distinct]
        out["distinct"] = distincts[0] if len(distincts) == 1 else distincts
    if plan.aggregates:
        out["aggregates"] = [_aggregate(aggregate) for aggregate in plan.aggregates]
    if plan.variables:
        out["variables"] = [{"name": each.name, "value": value_to_json(each.value)} for each in plan.variables]
    if plan.timeout_s is not None:
        out["timeout_s"] = plan.timeout_s
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
    return {"by": "RANK" if key.by is None else by_to_json(key.by), "descending": key.descending}


def _distinct(distinct: Distinct) -> Json:
    return {
        "key": by_to_json(distinct.key),
        "count": distinct.count,
        "times": distinct.times,
        "reserved": distinct.reserved,
        "filter": None if distinct.filter is None else expr_to_json(distinct.filter),
        "update_total": distinct.update_total,
        "grades": list(distinct.grades),
    }


def _aggregate(aggregate: Aggregate) -> Json:
    return {
        "keys": [by_to_json(key) for key in aggregate.keys],
        "functions": [
            {"name": function.name, "value": None if function.value is None else by_to_json(function.value)}
            for function in aggregate.functions
        ],
        "ranges": list(aggregate.ranges),
        "filter": None if aggregate.filter is None else expr_to_json(aggregate.filter),
        "max_group": aggregate.max_group,
    }


def _node(node: BoolNode, whole: bool) -> Json:
    match node:
        case And(items) | Or(items):
            return {"and" if isinstance(node, And) else "or": [_node(item, whole) for item in items]}
        case AtLeast(items, count):
            return {"atleast": {"count": count, "items": [_node(item, whole) for item in items]}}
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
        out: Json = {"index": term.index, "text": term.text, "phrase": term.phrase, "weight": term.weight}
        if term.fields or term.all_fields:
            out |= {"fields": list(term.fields), "all_fields": term.all_fields}
        return {"text": out}
    return {"number": {"index": term.index, **ends_to_json(term, term.low, term.high), "weight": term.weight}}


def _vector_term(term: VectorTerm, whole: bool) -> Json:
    out: Json = {"index": term.index, **_payload(term.payload, whole), "n": term.n}
    if term.score_threshold is not None:
        out["score_threshold"] = term.score_threshold
    if term.search_params:
        out["search_params"] = dict(term.search_params)
    if term.categories:
        out["categories"] = list(term.categories)
    if term.weight != 1:
        out["weight"] = term.weight
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
