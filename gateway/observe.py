"""Each request, once it is answered: counted, logged, and kept if it was a slow search. And GET /metrics."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, g, request

from gateway.auth import caller, needs
from gateway.slots import PROBES, USE, WAITED
from gateway.stages import add_stages, stages

if TYPE_CHECKING:
    from gateway.metrics import Metrics
    from gateway.slow import SlowSearches

_LOG = logging.getLogger("havengate.access")
_LONGEST_PATH = 200
NO_ROUTE = "none"


def install(app: Flask, metrics: Metrics, slow: SlowSearches | None = None) -> None:
    """After gateway.errors, whose ids the lines have, and before gateway.auth, whose refusals count, too."""

    def begin() -> None:
        waited = request.environ.get(WAITED)
        g.observed_from = time.perf_counter() - (waited or 0.0)
        if waited is not None:
            add_stages({"wait": waited})

    def end(response: Response) -> Response:
        seconds, spent, dialect = time.perf_counter() - g.observed_from, stages(), request.blueprint or NO_ROUTE
        metrics.request(dialect, request.method, response.status_code, seconds)
        metrics.stages(dialect, spent)
        if g.get("refused_as"):
            metrics.error(dialect, g.refused_as)
        if slow is not None and "searched" in g and slow.note(dialect, g.searched, seconds, spent):
            metrics.slow(dialect)
        _write_line(response, seconds)
        return response

    app.before_request(begin)
    app.after_request(end)
    app.register_blueprint(blueprint(metrics))


def _write_line(response: Response, seconds: float) -> None:
    # Whoever probes does so every few seconds.
    level = logging.DEBUG if request.path in PROBES else logging.INFO
    if not _LOG.isEnabledFor(level):
        return
    extra = {
        "status": response.status_code,
        "seconds": round(seconds, 6),
        "bytes": response.calculate_content_length(),
        "user": caller(),
        "address": request.remote_addr,
        "stages": {name: round(spent, 6) for name, spent in stages().items()},
    }
    # The query string is left out: pictures and tokens stand there.
    path = (
        request.path if len(request.path) <= _LONGEST_PATH else f"{request.path[:_LONGEST_PATH]}\N{HORIZONTAL ELLIPSIS}"
    )
    _LOG.log(level, "%s %s", request.method, path, extra={**extra, "request_id": g.request_id})


def blueprint(metrics: Metrics) -> Blueprint:
    views = Blueprint("metrics", __name__)

    @views.get("/metrics")
    # Its labels name tables.
    @needs("read", all_tables=True)
    def scrape() -> Response:
        if USE in request.environ:
            metrics.slots(request.environ[USE]())
        body, content_type = metrics.text(request.headers.get("Accept", ""))
        return Response(body, content_type=content_type)

    return views
