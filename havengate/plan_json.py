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
    And,
    AndNot,
    BoolNode,
    Compare,
    Expr,
    Field,
    In,
    Not,
    Operand,
    Or,
    Payload,
    PicturePayload,
    Rank,
    SearchPlan,
    SortKey,
    StoredIdPayload,
    TextPayload,
    VectorPayload,
    VectorTerm,
)

Json = dict[str, Any]
_PICTURE_SHOWN = 40


def plan_to_json(plan: SearchPlan, *, whole_pictures: bool = True) -> Json:
    """The plan without spans and warnings; ``whole_pictures=False`` cuts Base64 for people to read."""
    out: Json = {"version": PLAN_VERSION, "table": plan.table}
    if plan.query is not None:
        out["query"] = _node(plan.query, whole_pictures)
    if plan.filter is not None:
        out["filter"] = _expr(plan.filter)
    return out | {
        "filter_mode": plan.filter_mode,
        "rank": {"proxima_score": plan.rank.proxima_index},
        "sort": [_sort_key(key) for key in plan.sort],
        "offset": plan.offset,
        "limit": plan.limit,
        "output_fields": None if plan.output_fields is None else list(plan.output_fields),
    }


def _sort_key(key: SortKey) -> Json:
    return {"by": "RANK" if key.field is None else _field(key.field), "descending": key.descending}


def _node(node: BoolNode, whole: bool) -> Json:
    match node:
        case And(items):
            return {"and": [_node(item, whole) for item in items]}
        case Or(items):
            return {"or": [_node(item, whole) for item in items]}
        case AndNot(keep, drop):
            return {"andnot": [_node(keep, whole), _node(drop, whole)]}
        case VectorTerm():
            return {"vector": _term(node, whole)}


def _term(term: VectorTerm, whole: bool) -> Json:
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
        case PicturePayload(base64):
            cut = not whole and len(base64) > _PICTURE_SHOWN
            return {"picture": f"{base64[:_PICTURE_SHOWN]}… ({len(base64)} characters)" if cut else base64}


def _expr(expr: Expr) -> Json:
    match expr:
        case And(items):
            return {"and": [_expr(item) for item in items]}
        case Or(items):
            return {"or": [_expr(item) for item in items]}
        case Not(item):
            return {"not": _expr(item)}
        case In(field, values):
            return {"in": {"field": _field(field), "values": [value.value for value in values]}}
        case Compare(op, left, right):
            return {"compare": {"op": op, "left": _operand(left), "right": _operand(right)}}


def _operand(operand: Operand) -> Any:
    return {"field": _field(operand)} if isinstance(operand, Field) else operand.value


def _field(field: Field) -> str:
    return field.name if field.path is None else f"{field.name}.{field.path}"


def plan_from_json(table: str, body: Mapping[str, Any]) -> SearchPlan:
    """The plan of a JSON body; ``table`` is the one in the URL. Raises RequestError with the JSON path."""
    from havengate.plan_models import PlanModel, read_model

    model = read_model(PlanModel, body)
    if model.table not in (None, table):
        raise RequestError(f"table: the plan names {model.table!r}, the URL {table!r}", code=HaCode.PARSE_SYNTAX)
    return SearchPlan(
        table=table,
        query=None if model.query is None else model.query.to_node(),
        filter=None if model.filter is None else model.filter.to_expr(),
        filter_mode=model.filter_mode,
        rank=Rank(model.rank.proxima_score),
        sort=tuple(SortKey(_sort_field(key.by), key.descending) for key in model.sort),
        offset=model.offset,
        limit=model.limit,
        output_fields=None if model.output_fields is None else tuple(model.output_fields),
    )


def _sort_field(text: str) -> Field | None:
    if text == "RANK":
        return None
    name, dot, path = text.partition(".")
    return Field(name, path if dot else None)
