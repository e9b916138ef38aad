"""GET /images/{table}/{id}: a row's picture, small, for the <img> of a page such as OpenSearch Dashboards.

Browsers send no password there: a token of the table stands in the URL (havengate.image_tokens). It is judged before
anything is looked up, so that it makes no difference which tables there are. Without one the usual credentials count.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, Response, g, request
from werkzeug.routing import BaseConverter

from engines.contract import table_of
from gateway.auth import admit, allow, needs
from gateway.errors import json_response, log_if_ours, status_body
from gateway.slots import without_slot
from gateway.stages import stage
from havengate import image_tokens
from havengate.errors import (
    EngineError,
    Forbidden,
    HavengateError,
    Moved,
    NoPicture,
    RequestError,
    SettingsError,
    SourceError,
    UnknownTable,
    excerpt,
    is_passing,
)
from havengate.search import unmoved
from havengate.thumbnails import LARGEST, SMALLEST, USUAL

if TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict

    from engines.contract import TableSpec
    from havengate.services import Services
    from havengate.thumbnails import Thumbnail

_LOG = logging.getLogger(__name__)
_MAX_AGE_S = 300
_COME_AGAIN_S = 2
_SIZE = re.compile(r"[0-9]{1,5}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
    # Dashboards has another origin.
    "Cross-Origin-Resource-Policy": "cross-origin",
}
Kept = Callable[[bool], None]
"""Is told of each thumbnail whether it was made before."""


@dataclass(frozen=True, slots=True)
class Asked:
    size: int
    field: str | None


@dataclass(frozen=True, slots=True)
class Access:
    """``series`` of the token; None: the caller showed other credentials. ``max_age`` in seconds."""

    series: int | None
    max_age: int


class _Rest(BaseConverter):
    """All that is left of a path: keys hold slashes, also in front, and line ends."""

    regex = "(?s:.+)"
    part_isolating = False


def blueprint(services: Services, kept: Kept = lambda _: None) -> Blueprint:
    views = Blueprint("images", __name__)
    views.record(lambda state: state.app.url_map.converters.update(rest=_Rest))

    @views.get("/images/<table>/<rest:key>")
    @needs(None)
    def image(table: str, key: str) -> Response:
        access = _access(services, table)
        asked = read_query(request.args)
        with stage("engine"):
            spec = _table(services, table)
        if access.series not in (None, spec.settings.image_tokens):
            raise Forbidden("Forbidden")
        try:
            answer = unmoved(lambda: _answer(services, spec, key, asked, kept))
        except Moved as error:
            _LOG.warning("request %s: %s", g.request_id, error.message)
            raise NoPicture("the picture is missing") from error
        answer.headers["Cache-Control"] = f"private, max-age={access.max_age}"
        return answer

    @views.after_request
    def harmless(response: Response) -> Response:
        response.headers.update(_HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    views.register_error_handler(HavengateError, refused)
    return views


def read_query(sent: MultiDict[str, str]) -> Asked:
    """Raises RequestError naming what is wrong, never quoting what may be a token."""
    for name in sent.keys() - {"token", "size", "field"}:
        raise RequestError(f"unknown parameter {excerpt(repr(name))}; there are: token, size, field")
    size = sent.get("size", str(USUAL))
    if not _SIZE.fullmatch(size) or not SMALLEST <= int(size) <= LARGEST:
        raise RequestError(f"size is a whole number from {SMALLEST} to {LARGEST}, pixels of the longest side")
    return Asked(int(size), sent.get("field"))


def refused(error: HavengateError) -> Response:
    """Messages of engines and stores name indexes, folders and hosts: they are for the log."""
    log_if_ours(error)
    message, status = error.message, error.http_status
    if isinstance(error, SourceError | SettingsError):
        _LOG.warning("request %s: %s", g.request_id, error.message)
    if isinstance(error, EngineError | SourceError | SettingsError):
        message = "what holds the picture cannot be asked"
    if is_passing(error):
        g.retry_after_s = error.retry_after_s or _COME_AGAIN_S
    elif isinstance(error, SourceError):
        # Whoever asks for a picture has not chosen where it is.
        status = 502
    return json_response(status_body(status, message), status)


def _access(services: Services, table: str) -> Access:
    """Raises Forbidden, Unauthorized, TooManyChecks."""
    sent = request.args.get("token")
    if sent is None:
        admit("read")
        allow("read", table)
        return Access(None, _MAX_AGE_S)
    now = time.time()
    token = image_tokens.read(image_tokens.load_key(services.settings), table, sent, now)
    return Access(token.series, min(_MAX_AGE_S, int(token.expires - now)))


def _table(services: Services, name: str) -> TableSpec:
    """The very table: an answer must not depend on which others there are."""
    try:
        if table_of(name) == name:
            return services.engine.table(name)
    except UnknownTable:
        pass
    raise NoPicture(f"no table {excerpt(repr(name))}")


def _answer(services: Services, spec: TableSpec, key: str, asked: Asked, kept: Kept) -> Response:
    """Raises as Thumbnails.make."""
    thumbnails = services.thumbnails
    with stage("engine"):
        picture = thumbnails.find(spec, key, asked.field)
    etag = thumbnails.etag(picture, asked.size)
    if etag is None or not _has(etag):
        made = thumbnails.kept(picture, asked.size)
        kept(made is not None)
        if made is None:
            # Searches are not to wait for pictures.
            with without_slot(request.environ), stage("picture"):
                made = thumbnails.make(picture, asked.size)
        if not _has(made.etag):
            return _whole(made)
        etag = made.etag
    answer = Response(status=304)
    answer.set_etag(etag)
    return answer


def _whole(made: Thumbnail) -> Response:
    answer = Response(made.data, content_type=made.content_type)
    answer.set_etag(made.etag)
    return answer


def _has(etag: str) -> bool:
    return request.if_none_match.contains_weak(etag)
