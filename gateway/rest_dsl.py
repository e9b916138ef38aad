"""POST /{table}/search: HA3's clauses as JSON, answered as /query answers, in JSON unless the config says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, g, request

from gateway.auth import Readable, needs
from gateway.bodies import json_object
from gateway.ha_answer import answer, refuse, start_clock
from gateway.rest_clauses import clause_texts
from gateway.rest_models import read_search
from gateway.stages import stage
from havengate.codes import HaCode
from havengate.errors import HavengateError, RequestError, excerpt
from query_parser.parse import parse_clauses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.rest_models import RestSearch
    from gateway.wanted import Format
    from havengate.services import Services

_VECTOR_SERVICE = "vector-service"
"""Another dialect's path, which no table can have."""


def blueprint(services: Services) -> Blueprint:
    views = Blueprint("rest_dsl", __name__)

    @views.post("/<table>/search")
    @needs("read")
    def search(table: str) -> Response:
        if table == _VECTOR_SERVICE:
            abort(404)
        raw = json_object(request, services.settings.limits.body)
        with stage("parse"):
            body = read_search(raw)
        g.rest_format = _format(body)
        name = Readable(services.tables)(table).name
        _require_table(services, name, "cluster", body.cluster if isinstance(body.cluster, list) else ())
        with stage("parse"):
            texts = clause_texts(body, name)
        most = services.settings.limits.query_chars
        if (size := sum(map(len, texts.values()))) > most:
            raise RequestError(f"{size} characters, the most is {most}", code=HaCode.QUERY_INVALID)
        with stage("parse"):
            parsed = parse_clauses(texts)
        fetched = parsed.fetch_summary
        if fetched is not None and fetched.by == "rawpk":
            _require_table(services, name, "summary", [cluster for cluster, _ in fetched.keys])
        return answer(services, parsed, "json")

    @views.before_request
    def start() -> None:
        start_clock()
        g.rest_format = "json"

    @views.errorhandler(HavengateError)
    def refused(error: HavengateError) -> Response:
        # A span counts from its clause's own text, which the client never saw.
        error.span = None
        return refuse(error, "", g.rest_format)

    return views


def _require_table(services: Services, name: str, key: str, clusters: Iterable[str]) -> None:
    """Raises UnknownTable, RequestError 1004 for a cluster that is another table than the path's."""
    for cluster in dict.fromkeys(clusters):
        if Readable(services.tables)(cluster).name != name:
            message = f"{key}: {excerpt(cluster)} is not the table of the path, {name}"
            raise RequestError(message, code=HaCode.MULTI_CLUSTERNAME_WITH_DIFFERENT_TABLE)


def _format(body: RestSearch) -> Format:
    """What an error is written in; a format that there is not is an error later."""
    return "xml" if body.config.get("format") == "xml" else "json"
