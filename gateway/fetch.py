"""POST /vector-service/fetch: rows by key, in the Vector edition's shape.

Errors are HTTP 200 with ``errorCode`` and ``errorMsg``; both are absent from good answers, as clients test them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from gateway.auth import Readable, needs
from gateway.bodies import json_object
from gateway.errors import json_response, log_if_ours
from gateway.stages import stage
from gateway.values import short_floats
from havengate.codes import HaCode
from havengate.errors import HavengateError, RequestError, excerpt

if TYPE_CHECKING:
    from engines.contract import TableSpec
    from havengate.services import Services
    from havengate.types import Row

_BESIDE_IDS = ("filter", "sort", "limit", "offset", "kvpairs")
"""Known keys that the vendor ignores when ids are given."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FetchRequest:
    table: str | None
    ids: tuple[str | int, ...]
    include_vector: bool
    output_fields: tuple[str, ...] | None


def blueprint(services: Services) -> Blueprint:
    views = Blueprint("fetch", __name__)
    limits = services.settings.limits

    @views.post("/vector-service/fetch")
    @needs("read")
    def fetch() -> Response:
        started = time.perf_counter()
        body = json_object(request, limits.body)
        with stage("parse"):
            wanted = read_request(body, most=limits.fetch_ids)
        table = Readable(services.tables)(wanted.table)
        with stage("fetch"):
            rows = services.documents.fetch(
                table, wanted.ids, include_vector=wanted.include_vector, output_fields=wanted.output_fields
            )
        with stage("format"):
            found = [_item(row, table, wanted) for row in rows]
            return json_response(_answer(found, started))

    @views.errorhandler(HavengateError)
    def refused(error: HavengateError) -> Response:
        log_if_ours(error)
        body = _answer([], time.perf_counter())
        return json_response(body | {"errorCode": int(error.code), "errorMsg": error.message})

    return views


def read_request(body: Json, *, most: int) -> FetchRequest:
    """Raises RequestError naming the key that is wrong."""
    for key in body.keys() - {"tableName", "ids", "includeVector", "outputFields", *_BESIDE_IDS}:
        raise RequestError(f"unknown key {excerpt(repr(key))}", code=HaCode.UNKNOWN_KEY)
    ids = body.get("ids")
    if ids is None:
        raise RequestError(
            "ids is missing; this version fetches by ids only, not by filter", code=HaCode.KEY_VALUE_PAIR
        )
    if not isinstance(ids, list) or not all(isinstance(key, str | int) and not isinstance(key, bool) for key in ids):
        raise RequestError("ids is not a list of strings or integers", code=HaCode.KEY_VALUE_PAIR)
    if len(ids) > most:
        raise RequestError(f"{len(ids)} ids, the most is {most}", code=HaCode.KEY_VALUE_PAIR)
    names = body.get("outputFields")
    return FetchRequest(
        table=_typed(body, "tableName", str, None),
        ids=tuple(ids),
        include_vector=bool(_typed(body, "includeVector", bool, False)),
        output_fields=None if names is None else _names(names),
    )


def _typed(body: Json, key: str, kind: type, default: Any) -> Any:
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise RequestError(f"{key} is not of type {kind.__name__}", code=HaCode.KEY_VALUE_PAIR)
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise RequestError("outputFields is not a list of strings", code=HaCode.KEY_VALUE_PAIR)
    return tuple(value)


def _item(row: Row, table: TableSpec, wanted: FetchRequest) -> Json:
    schema = table.schema
    named = {name: short_floats(row.vectors[name]) for name in wanted.output_fields or () if name in row.vectors}
    item: Json = {"id": int(row.pk) if schema.key_type.is_integer else row.pk, "fields": {**row.fields, **named}}
    first = next(iter(schema.vector_fields), "")
    if wanted.include_vector and first in row.vectors:
        item["vector"] = short_floats(row.vectors[first])
    return item


def _answer(items: list[Json], started: float) -> Json:
    """``totalTime`` is in milliseconds."""
    return {"result": items, "totalCount": len(items), "totalTime": round(1000 * (time.perf_counter() - started), 3)}
