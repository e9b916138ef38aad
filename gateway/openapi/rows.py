"""Push, fetch and the plan's JSON in the document."""

from __future__ import annotations

from gateway.openapi.parts import Json, answer, body, operation, parameter, ref, table

ROWS, PLAN = "Rows", "Plan"
# One white pixel.
_PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mP8/x8AAwMCAO+ip1sAAAAASUVORK5CYII="


def paths() -> Json:
    return {
        "/update/{data_source}/actions/bulk": {"post": _push()},
        "/vector-service/fetch": {"post": _fetch()},
        "/v1/tables/{table}/search": {"post": _plan()},
    }


def _push() -> Json:
    source = parameter(
        "path",
        "data_source",
        {"type": "string", "minLength": 1},
        "A table, or a data source whose name ends in `_` and a table.",
        "clothes",
    )
    key = parameter("header", "X-Opensearch-Swift-PK-Field", {"type": "string"}, "The table's key, which is checked.")
    examples = {
        "a row with its picture": [
            {"cmd": "add", "fields": {"id": 900001, "cate_id": 1, "vector_source_image": _PICTURE}}
        ],
        "one field of it": [{"cmd": "update_field", "fields": {"id": 900001, "cate_id": 2}}],
        "a row less": [{"cmd": "delete", "fields": {"id": 900002}}],
    }
    return operation(
        "push",
        ROWS,
        "Write and delete rows",
        {
            200: answer(
                "`status` is OK when every document is durable; else `errors` names those that are not.",
                ref("PushAnswer"),
            )
        },
        access="write",
        parameters=[source, key],
        takes=body(ref("Push"), examples),
    )


def _fetch() -> Json:
    examples = {
        "two rows, with what the vector is": {"tableName": "general", "ids": [1, 2], "includeVector": True},
        "some of their fields": {"tableName": "general", "ids": ["1"], "outputFields": ["id", "cate_id"]},
    }
    return operation(
        "fetch",
        ROWS,
        "Read rows by their keys",
        {200: answer("Rows that are there. Errors are HTTP 200 with `errorCode` and `errorMsg`.", ref("FetchAnswer"))},
        access="read",
        takes=body(ref("Fetch"), examples),
    )


def _plan() -> Json:
    examples = {
        "words in Chinese and a condition": {
            "query": {"vector": {"index": "vector", "text": "摩托车头盔", "n": 10}},
            "filter": {"compare": {"op": "=", "left": {"field": "cate_id"}, "right": 1}},
        },
        "groups of all rows": {
            "aggregates": [{"keys": ["cate_id"], "functions": [{"name": "count"}, {"name": "max", "value": "id"}]}],
            "limit": 1,
        },
    }
    refused = {status: answer(says, ref("Refused")) for status, says in _PLAN_ERRORS.items()}
    return operation(
        "searchByPlan",
        PLAN,
        "Search with a plan in JSON",
        {200: answer("Hits, a certificate of each vector term, groups.", ref("PlanAnswer")), **refused},
        access="read",
        description="The plan that every dialect becomes, version 1, answered with HTTP's own statuses.",
        parameters=[table("general")],
        takes=body(ref("PlanModel"), examples),
    )


_PLAN_ERRORS = {
    400: "The plan is wrong, or does not fit the table; the message names the place.",
    404: "No such table.",
    503: "The engine or the model cannot answer now.",
    504: "The search took longer than it may.",
}
