"""GET and POST /query: the HA3 dialect.

What is wrong with a request is HTTP 200 with its error in the body, as the engine answers; the SDKs raise on other
statuses. The body is XML unless the request's config clause says format:json; a call without a request is refused
in JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, g, request

from gateway.auth import needs
from gateway.bodies import json_object
from gateway.ha_answer import answer, refuse, start_clock
from gateway.query_string import parameter
from gateway.stages import stage
from gateway.wanted import DEFAULT_FORMAT, asked_format
from havengate.codes import HaCode
from havengate.errors import HavengateError, RequestError
from query_parser.parse import parse_request

if TYPE_CHECKING:
    from havengate.services import Services
    from havengate.settings import Settings

_NO_SQL = "this gateway answers HA queries, not SQL: send query=… instead of sql=…"


def blueprint(services: Services) -> Blueprint:
    views = Blueprint("ha", __name__)

    @views.get("/query")
    @needs("read")
    def get_query() -> Response:
        with stage("parse"):
            text = _text_of_get(request.query_string)
        return _answer(services, text)

    @views.post("/query")
    @needs("read")
    def post_query() -> Response:
        if parameter(request.query_string, "type") == "sql":
            raise RequestError(_NO_SQL, code=HaCode.SQL_INIT_REQUEST)
        return _answer(services, _text_of_post(services.settings))

    @views.before_request
    def start() -> None:
        start_clock()
        g.ha_text = None

    @views.errorhandler(HavengateError)
    def refused(error: HavengateError) -> Response:
        if g.ha_text is None:
            return refuse(error, "", "json")
        return refuse(error, g.ha_text, asked_format(g.ha_text))

    return views


def _text_of_get(query_string: bytes) -> str:
    text = parameter(query_string, "query")
    if text is not None:
        return text
    if parameter(query_string, "sql") is not None:
        raise RequestError(_NO_SQL, code=HaCode.SQL_INIT_REQUEST)
    raise RequestError("GET /query needs the parameter query=…", code=HaCode.EMPTY_QUERY_STRING)


def _text_of_post(settings: Settings) -> str:
    text = json_object(request, settings.limits.body).get("assemblyQuery")
    if not isinstance(text, str):
        raise RequestError('POST /query needs {"assemblyQuery": "…"}', code=HaCode.EMPTY_QUERY_STRING)
    return text


def _answer(services: Services, text: str) -> Response:
    g.ha_text = text
    most = services.settings.limits.query_chars
    if len(text) > most:
        raise RequestError(f"{len(text)} characters, the most is {most}", code=HaCode.QUERY_INVALID)
    with stage("parse"):
        parsed = parse_request(text)
    return answer(services, parsed, DEFAULT_FORMAT)
