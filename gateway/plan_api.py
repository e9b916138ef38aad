"""POST /v1/tables/{table}/search: the plan's own JSON, answered with HTTP's own statuses."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request

from gateway import searching
from gateway.auth import allow, needs
from gateway.bodies import json_object
from gateway.errors import json_response, log_if_ours
from gateway.stages import stage
from gateway.values import finite, function_text, short_floats
from havengate.errors import HavengateError
from havengate.expr import operand_text
from havengate.plan_json import plan_from_json

if TYPE_CHECKING:
    from havengate.services import Services
    from havengate.types import Aggregation, Certificate, Hit, SearchResult

Json = dict[str, Any]


def blueprint(services: Services) -> Blueprint:
    views = Blueprint("plan_api", __name__, url_prefix="/v1")

    @views.post("/tables/<table>/search")
    @needs("read")
    def search(table: str) -> Response:
        allow("read", table)
        body = json_object(request, services.settings.limits.body)
        with stage("parse"):
            plan = plan_from_json(table, body)
        result = searching.search(services, plan)
        with stage("format"):
            return json_response(result_to_json(result) | {"request_id": g.request_id})

    @views.errorhandler(HavengateError)
    def refused(error: HavengateError) -> Response:
        log_if_ours(error)
        entry = {"code": int(error.code), "name": error.name, "message": error.message}
        return json_response({"errors": [entry], "request_id": g.request_id}, error.http_status)

    return views


def result_to_json(result: SearchResult) -> Json:
    """Typed values and all certificates; timings are seconds by stage; aggregations where the plan asks for some."""
    body: Json = {
        "total": result.total,
        "hits": [_hit(hit) for hit in result.hits],
        "certificates": [certificate_to_json(certificate) for certificate in result.certificates],
        "timings": dict(result.timings),
        "warnings": list(result.warnings),
    }
    if result.aggregations:
        body["aggregations"] = [_aggregation(aggregation) for aggregation in result.aggregations]
    return body


def _aggregation(found: Aggregation) -> Json:
    """``total`` counts all groups, also those beyond max_group."""
    return {
        "keys": [operand_text(key) for key in found.aggregate.keys],
        "functions": [function_text(function) for function in found.aggregate.functions],
        "total": found.total,
        "groups": [
            {"keys": [finite(key) for key in group.keys], "values": [finite(value) for value in group.values]}
            for group in found.groups
        ],
    }


def certificate_to_json(certificate: Certificate) -> Json:
    """``cut_by`` stands only where something cut the pool short."""
    values = dataclasses.asdict(certificate)
    return {name: value for name, value in values.items() if value is not None}


def _hit(hit: Hit) -> Json:
    body: Json = {
        "pk": hit.pk,
        "score": finite(hit.score),
        "sort_values": [finite(value) for value in hit.sort_values],
        "fields": dict(hit.fields),
    }
    if hit.variables:
        body["variables"] = {
            name: finite(value) if isinstance(value, float) else value for name, value in hit.variables.items()
        }
    if hit.vectors:
        body["vectors"] = {name: short_floats(vector) for name, vector in hit.vectors.items()}
    return body
