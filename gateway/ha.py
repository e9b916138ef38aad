"""GET and POST /query: the HA3 dialect.

What is wrong with a request is HTTP 200 with ``errors``, as the engine answers; the SDKs raise on other statuses.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flask import Blueprint, Response, g, request

from gateway.auth import needs
from gateway.bodies import json_object
from gateway.errors import adopt_request_id, json_response, log_if_ours
from gateway.ha_format import Wanted, answer_body, error_body
from gateway.query_string import parameter
from havengate.codes import HaCode
from havengate.errors import HavengateError, RequestError
from query_parser.parse import parse_request
from query_parser.plan import plan_request

if TYPE_CHECKING:
    from havengate.services import Services
    from havengate.settings import Settings
    from query_parser.request import HaRequest

_NO_SQL = "this gateway answers HA queries, not SQL: send query=… instead of sql=…"
_NO_XML = "the answer is JSON: this version writes no XML; format:json in the config clause asks for what it writes"


def blueprint(services: Services) -> Blueprint:
    views = Blueprint("ha", __name__)

    @views.get("/query")
    @needs("read")
    def get_query() -> Response:
        return _answer(services, _text_of_get(request.query_string))

    @views.post("/query")
    @needs("read")
    def post_query() -> Response:
        if parameter(request.query_string, "type") == "sql":
            raise RequestError(_NO_SQL, code=HaCode.SQL_INIT_REQUEST)
        return _answer(services, _text_of_post(services.settings))

    @views.before_request
    def start() -> None:
        g.started, g.ha_text = time.perf_counter(), ""

    @views.errorhandler(HavengateError)
    def refused(error: HavengateError) -> Response:
        log_if_ours(error)
        return json_response(error_body(error, g.ha_text, request_id=g.request_id, seconds=_elapsed()))

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
    settings = services.settings
    if len(text) > settings.limits.query_chars:
        raise RequestError(
            f"{len(text)} characters, the most is {settings.limits.query_chars}", code=HaCode.QUERY_INVALID
        )
    parsed = parse_request(text)
    if not g.request_id_from_client:
        adopt_request_id(parsed.request_id)
    plan = plan_request(
        parsed,
        services.tables.resolve,
        index_aliases=settings.alias_set,
        window=settings.limits.window,
    )
    result = services.searcher.search(plan)
    return json_response(answer_body(result, _wanted(parsed), request_id=g.request_id, seconds=_elapsed()))


def _wanted(parsed: HaRequest) -> Wanted:
    return Wanted(
        attributes=tuple(name.text for name in parsed.attributes),
        trace=parsed.config.text("trace") is not None,
        warnings=(_NO_XML,) if parsed.config.format in (None, "xml") else (),
    )


def _elapsed() -> float:
    return float(time.perf_counter() - g.started)
