"""What every HA request becomes once its clauses are parsed: a search or a fetch, answered in its own format."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flask import Response, g

from gateway.auth import Readable
from gateway.errors import adopt_request_id, json_response, log_if_ours
from gateway.ha_fetch import fetch_summary
from gateway.ha_format import answer_body, error_body
from gateway.ha_xml import answer_xml, error_xml
from gateway.searching import search
from gateway.stages import add_stages, stage
from gateway.wanted import format_of, wanted_by
from havengate.services import plan_of

if TYPE_CHECKING:
    from gateway.wanted import Format, Wanted
    from havengate.errors import HavengateError
    from havengate.services import Services
    from havengate.types import SearchResult
    from query_parser.request import HaRequest

_XML = "text/xml; charset=utf-8"


def start_clock() -> None:
    """Before every request: its time counts from here."""
    g.started = time.perf_counter()


def answer(services: Services, request: HaRequest, default: Format) -> Response:
    """Raises whatever is wrong with the request; ``refuse`` shapes it."""
    if not g.request_id_from_client:
        adopt_request_id(request.request_id)
    form = format_of(request.config, default)
    resolve = Readable(services.tables)
    if request.fetch_summary is not None:
        result, wanted = fetch_summary(services, request, request.fetch_summary, resolve)
        add_stages(result.timings)
    else:
        with stage("parse"):
            plan = plan_of(services, request, resolve)
        result, wanted = search(services, plan), wanted_by(request, plan)
    with stage("format"):
        return _written(result, wanted, form)


def refuse(error: HavengateError, source: str, form: Format) -> Response:
    """HTTP 200, as the engine answers; the SDKs raise on other statuses."""
    log_if_ours(error)
    if form == "xml":
        return _xml_response(error_xml(error, source, seconds=_elapsed()))
    return json_response(error_body(error, source, request_id=g.request_id, seconds=_elapsed()))


def _written(result: SearchResult, wanted: Wanted, form: Format) -> Response:
    if form == "xml":
        return _xml_response(answer_xml(result, wanted, seconds=_elapsed()))
    return json_response(answer_body(result, wanted, request_id=g.request_id, seconds=_elapsed()))


def _xml_response(body: str) -> Response:
    return Response(body.encode("utf-8"), content_type=_XML)


def _elapsed() -> float:
    return float(time.perf_counter() - g.started)
