"""Probes: /healthz (the process answers), /readyz (searches would be answered), and the SDK's /network/active."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flask import Blueprint, Response

from gateway.auth import needs
from gateway.errors import json_response
from havengate.errors import HavengateError

if TYPE_CHECKING:
    from embedding.service import EmbeddingService


class Probed(Protocol):
    """havengate.services.Services, or what a server has in place of them."""

    @property
    def embedding(self) -> EmbeddingService: ...

    def models(self) -> set[str]:
        """Models without which it is not ready."""


def blueprint(services: Probed) -> Blueprint:
    views = Blueprint("health", __name__)

    @views.get("/healthz")
    @needs(None)
    def healthz() -> Response:
        return json_response({"status": "OK"})

    @views.get("/readyz")
    @needs(None)
    def readyz() -> Response:
        waiting_for = _missing(services)
        if waiting_for is None:
            return json_response({"status": "OK"})
        return json_response({"status": "WAIT", "message": waiting_for}, 503)

    @views.get("/network/active")
    @needs("read")
    def active() -> Response:
        return json_response({"status": "OK"})

    return views


def _missing(services: Probed) -> str | None:
    """What stands between now and an answered search; None when nothing does."""
    try:
        models = services.models()
    except HavengateError:
        return "the tables cannot be read; `havengate doctor` says why"
    return None if services.embedding.ready(models) else "models are being loaded"
