"""Probes: /healthz (the process answers), /readyz (searches would be answered), and the SDK's /network/active."""

from __future__ import annotations

from collections.abc import Callable
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


def blueprint(services: Probed, users_problem: Callable[[], str] = lambda: "") -> Blueprint:
    """``users_problem`` says why the users are not those of their file."""
    views = Blueprint("health", __name__)

    @views.get("/healthz")
    @needs(None)
    def healthz() -> Response:
        return json_response({"status": "OK"})

    @views.get("/readyz")
    @needs(None)
    def readyz() -> Response:
        ready, message = _readiness(services)
        if users_problem():
            # The reason names a path and users, and anybody may ask here.
            message = "; ".join(filter(None, [message, "the users' file cannot be read: the log says why"]))
        body = {"status": "OK" if ready else "WAIT"} | ({"message": message} if message else {})
        return json_response(body, 200 if ready else 503)

    @views.get("/network/active")
    @needs("read")
    def active() -> Response:
        return json_response({"status": "OK"})

    return views


def _readiness(services: Probed) -> tuple[bool, str]:
    """Whether searches would be answered, and what stands between now and that.

    A model that cannot be loaded costs its own tables their searches, not the others theirs; so it is said, and is no
    reason to say no unless nothing else is there.
    """
    try:
        models = services.models()
    except HavengateError:
        return False, "the tables cannot be read; `havengate doctor` says why"
    readiness = services.embedding.readiness(models)
    if readiness.away:
        return False, "the server of models does not answer"
    if readiness.waiting:
        return False, f"models are being loaded: {', '.join(sorted(readiness.waiting))}"
    # The reasons name folders, and anybody may ask here.
    failed = [f"model {name} cannot be loaded: `havengate models verify {name}` says why" for name in readiness.failed]
    return not models or len(failed) < len(models), "; ".join(failed)
