"""Audit lines: every write, every call of /admin, and everything that was refused for who asked it.

The logger ``havengate.audit`` gets one record for each, its facts as ``extra``: user, address, method, route, status,
table, counts. Names that nobody has are not told: people type passwords where a name belongs.
"""

from __future__ import annotations

import logging
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import current_app, g, request

from gateway.auth import claimed_user, is_known, needed_role
from gateway.rate_limit import Buckets, TooManyRequests, network_of

if TYPE_CHECKING:
    from flask import Flask, Response

_LOG = logging.getLogger("havengate.audit")
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_REFUSALS_PER_S = 0.5
"""Of one address; five at once."""
_ALL_REFUSALS_PER_S = 10.0
_LONGEST_NAME = 64


def note(**facts: str | int) -> None:
    """Adds to this request's line, if it gets one: the table, counts. Nothing secret, nothing of what rows hold."""
    g.audited = {**g.get("audited", {}), **facts}


def install(app: Flask) -> None:
    """After gateway.auth, whose answers get lines, too."""
    refusals = _Refusals()

    def write(response: Response) -> Response:
        refused = response.status_code in _REFUSED
        view = current_app.view_functions.get(request.endpoint or "")
        if not refused and needed_role(view) not in ("write", "admin"):
            return response
        left_out = refusals.left_out(network_of(request.remote_addr or "")) if refused else 0
        if left_out is not None:
            _LOG.info("refused" if refused else "asked", extra=_facts(response, left_out))
        return response

    app.after_request(write)


def _facts(response: Response, left_out: int) -> dict[str, object]:
    facts = {
        "user": claimed_user(),
        "address": request.remote_addr or "",
        "method": request.method,
        "route": request.url_rule.rule if request.url_rule else "",
        "status": response.status_code,
        **_table(),
        **g.get("audited", {}),
    }
    return facts | ({"left_out": left_out} if left_out else {})


def _table() -> dict[str, str]:
    """The one that was refused, else that in the path; a stranger may have filled in anything."""
    places = request.view_args or {}
    table = g.get("refused_table") or places.get("table", places.get("data_source"))
    return {"table": str(table)[:_LONGEST_NAME]} if table and is_known() else {}


class _Refusals:
    """Which refusals get a line, so that nobody fills the log by knocking."""

    def __init__(self) -> None:
        self._buckets = Buckets()
        self._lock = threading.Lock()
        self._left_out = 0

    def left_out(self, address: str) -> int | None:
        """How many had no line since the last that had one; None for one that gets none."""
        try:
            self._buckets.take(f"from {address}", _REFUSALS_PER_S)
            self._buckets.take("all", _ALL_REFUSALS_PER_S)
        except TooManyRequests:
            with self._lock:
                self._left_out += 1
            return None
        with self._lock:
            before, self._left_out = self._left_out, 0
        return before
