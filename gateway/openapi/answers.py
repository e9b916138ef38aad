"""Schemas of answers that no model judges, and of bodies that are read by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.openapi.parts import Json, ref

if TYPE_CHECKING:
    from collections.abc import Sequence

_TEXT: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_NUMBER: Json = {"type": "number"}
_SCORE: Json = {"type": ["number", "null"]}
_ANY: Json = {}
_BESIDE_IDS = ("filter", "sort", "limit", "offset", "kvpairs")


def _object(properties: Json, optional: Sequence[str] = (), *, more: bool = False, says: str = "") -> Json:
    required = [name for name in properties if name not in optional]
    made: Json = {"type": "object", "required": required, "properties": properties, "additionalProperties": more}
    return made | ({"description": says} if says else {})


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _map(values: Json) -> Json:
    return {"type": "object", "additionalProperties": values}


def schemas() -> Json:
    return {
        "HttpError": _object({"code": _TEXT, "message": _TEXT}, says="An error of HTTP's own: the code is its status."),
        "Status": _object({"status": {"enum": ["OK", "WAIT"]}, "message": _TEXT}, ["message"]),
        "Certificate": _certificate(),
        **_ha(),
        **_rows(),
        **_plan(),
    }


def _certificate() -> Json:
    shown = {"index": _TEXT, "requested": _COUNT, "matched": _COUNT, "returned": _COUNT, "strategy": _TEXT}
    says = "What a vector term found: `returned` is the smaller of `requested` and `matched` unless `cut_by` says why."
    return _object(shown | {"cut_by": _TEXT}, ["cut_by"], says=says)


def _ha() -> Json:
    error = _object(
        {"code": _COUNT, "name": _TEXT, "message": _TEXT, "span": _list(_COUNT)},
        ["span"],
        says="The engine's code and its name; `span` is where in the request.",
    )
    item = _object(
        {
            "fields": _map(_TEXT),
            "property": {"type": "object"},
            "score": _SCORE,
            "attribute": _map(_list(_ANY)),
            "variableValue": _map(_list(_ANY)),
            "sortExprValues": _list(_TEXT),
            "tracerInfo": _TEXT,
        },
        ["attribute", "variableValue"],
        says="A hit; every value of `fields` is text.",
    )
    counts = dict.fromkeys(("totalHits", "total", "viewtotal", "numHits", "num"), _COUNT)
    certificate = {"anyOf": [ref("Certificate"), _list(ref("Certificate")), {"type": "null"}]}
    facet = _object({"key": _TEXT, "items": _list(_map(_TEXT))})
    result = _object(
        {"searchtime": _NUMBER, **counts, "coveredPercent": _NUMBER, "items": _list(ref("HaItem"))}
        | {"facet": _list(facet), "certificate": certificate, "warnings": _list(_TEXT)}
    )
    shown = {"status": {"enum": ["OK", "ERROR"]}, "request_id": _TEXT, "result": result}
    return {
        "HaError": error,
        "HaItem": item,
        "HaAnswer": _object(shown | {"errors": _list(ref("HaError")), "tracer": _TEXT}),
    }


def _rows() -> Json:
    document = _object({"cmd": {"enum": ["add", "delete", "update_field"]}, "fields": {"type": "object"}})
    where = {"index": {"type": ["integer", "null"]}, "id": {"type": ["string", "null"]}}
    failure = _object(where | {"code": _COUNT, "message": _TEXT}, says="`index` is the document's place in the body.")
    row = {"id": {"type": ["string", "integer"]}, "fields": {"type": "object"}}
    fetched = _object(row | {"vector": _list(_NUMBER)}, ["vector"])
    return {
        "Push": _list(document) | {"maxItems": 10_000},
        "PushAnswer": _object(
            {"status": {"enum": ["OK", "ERROR"]}, "request_id": _TEXT, "written": _COUNT, "deleted": _COUNT}
            | {"errors": _list(failure)}
        ),
        "Fetch": _fetch(),
        "FetchAnswer": _object(
            {"result": _list(fetched), "totalCount": _COUNT, "totalTime": _NUMBER}
            | {"errorCode": _COUNT, "errorMsg": _TEXT},
            ["errorCode", "errorMsg"],
        ),
    }


def _fetch() -> Json:
    known: Json = {
        "tableName": {"type": ["string", "null"]},
        "includeVector": {"type": ["boolean", "null"]},
        "outputFields": {"type": ["array", "null"], "items": _TEXT},
    }
    idle = {name: {"description": "known, and without effect"} for name in _BESIDE_IDS}
    return _object({"ids": _list({"type": ["string", "integer"]})} | known | idle, [*known, *idle])


def _plan() -> Json:
    hit = _object(
        {"pk": _TEXT, "score": _SCORE, "sort_values": _list(_ANY), "fields": {"type": "object"}}
        | {"variables": {"type": "object"}, "vectors": _map(_list(_NUMBER))},
        ["variables", "vectors"],
    )
    group = _object({"keys": _list(_ANY), "values": _list(_ANY)})
    groups = _object({"keys": _list(_TEXT), "functions": _list(_TEXT), "total": _COUNT, "groups": _list(group)})
    answer = _object(
        {"total": _COUNT, "hits": _list(hit), "certificates": _list(ref("Certificate")), "timings": _map(_NUMBER)}
        | {"warnings": _list(_TEXT), "aggregations": _list(groups), "request_id": _TEXT},
        ["aggregations"],
    )
    errors = _object({"errors": _list(ref("HaError")), "request_id": _TEXT})
    return {"PlanAnswer": answer, "Refused": {"anyOf": [errors, ref("HttpError")]}}


def admin_schemas() -> Json:
    entry = _object({"code": _COUNT, "name": _TEXT, "type": _TEXT, "message": _TEXT})
    errors = _object({"errors": _list(entry), "request_id": _TEXT})
    counts = _object(
        {"table": _TEXT, "rows": _COUNT, "vectors": _map(_COUNT), "bytes": _COUNT, "error": _TEXT},
        ["rows", "vectors", "bytes", "error"],
        says="`error` where the table cannot be used.",
    )
    return {
        "AdminErrors": {"anyOf": [errors, ref("HttpError")]},
        "TableCounts": counts,
        "TableCreated": _object({"table": _TEXT, "key": _TEXT, "vector_indexes": _list(_TEXT)}),
        "TableShown": _object(
            {name: {"type": "object"} for name in ("schema", "settings", "fingerprints", "stats")} | {"table": _TEXT}
        ),
        "ImageToken": _object({"table": _TEXT, "token": _TEXT, "series": _COUNT, "expires": _COUNT}),
        "TableDropped": _object({"table": _TEXT, "cancelled": _list(_COUNT)}),
        "BackedUp": _object({"file": _TEXT, "rows": _COUNT, "blobs": _COUNT, "bytes": _COUNT, "lost_pictures": _COUNT}),
        "RebuildPlanned": _object({"nothing": {"type": "boolean"}, "sentences": _list(_TEXT), "refused": _list(_TEXT)}),
    }
