"""Every answer that no dialect shapes: ``{"code": "<status>", "message": …}`` with that status.

The body is the one that official SDK users know from a 403 (``TeaException.data["errors"]``); SDK 1.0.0 crashes
on an error body that is not JSON, so not one answer of the gateway is anything else.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Mapping

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from havengate.errors import EngineError, HavengateError, ModelAway
from havengate.request_id import REQUEST_ID

_LOG = logging.getLogger(__name__)
_REQUEST_ID_HEADERS = ("X-Opensearch-Request-ID", "X-Opensearch-Swift-Request-ID")
_PROXY_HEADER = "X-Request-ID"
"""Of a proxy, or of a gateway that asks an embed-server; the client's own id goes before it."""
_REQUEST_ID = re.compile(r"[0-9A-Za-z_.-]{1,128}")


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Strict JSON in strict UTF-8, which is what the SDKs decode."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A message may quote a lone surrogate that came in; an answer may not hold one.
    data = text.encode("utf-8", "replace")
    return Response(data, status, headers, content_type="application/json; charset=utf-8")


def status_body(status: int, message: str) -> dict[str, str]:
    """The body of an answer that is an HTTP error; the code is a string, as the vendor's."""
    return {"code": str(status), "message": message}


def adopt_request_id(candidate: str | None) -> bool:
    """Makes the client's id that of this request, unless it is not one; says whether it did."""
    if candidate is None or not _REQUEST_ID.fullmatch(candidate):
        return False
    g.request_id = candidate
    g.request_id_from_client = True
    REQUEST_ID.set(candidate)
    return True


def log_if_ours(error: HavengateError) -> None:
    """Leaves a line for the operator where an answer's error is not the client's doing; notes when to come back."""
    g.retry_after_s = error.retry_after_s
    g.refused_as = error.name
    if isinstance(error, EngineError | ModelAway):
        _LOG.warning("request %s: %s", g.request_id, error.message)


def install(app: Flask) -> None:
    """Request ids on every answer, JSON for every error that a dialect leaves over."""
    app.before_request(_begin)
    app.after_request(_complete)
    app.teardown_request(_end)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def _begin() -> None:
    g.retry_after_s = None
    g.request_id = uuid.uuid4().hex
    g.request_id_from_client = False
    g.request_id_before = REQUEST_ID.set(g.request_id)
    for name in _REQUEST_ID_HEADERS:
        if adopt_request_id(request.headers.get(name)):
            return
    adopt_request_id(request.headers.get(_PROXY_HEADER))
    g.request_id_from_client = False


def _end(_error: BaseException | None) -> None:
    """A thread serves one request after another."""
    if "request_id_before" in g:
        REQUEST_ID.reset(g.pop("request_id_before"))


def _complete(response: Response) -> Response:
    response.headers["X-Opensearch-Request-ID"] = g.request_id
    if g.retry_after_s is not None:
        response.headers["Retry-After"] = str(g.retry_after_s)
    return response


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return json_response(status_body(status, error.description or error.name), status, headers)


def _unexpected(error: Exception) -> Response:
    _LOG.error("request %s: %s", g.request_id, type(error).__name__, exc_info=error)
    return json_response(status_body(500, f"internal error; the log has more under request {g.request_id}"), 500)
