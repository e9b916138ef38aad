"""GET /openapi.json and GET /docs."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from flask import Blueprint, Response

from gateway.auth import needs

if TYPE_CHECKING:
    from gateway.openapi.parts import Json


def blueprint(*, administration: bool) -> Blueprint:
    """``administration``: whether the application has /admin and /changes."""
    views = Blueprint("openapi", __name__)

    @cache
    def whole() -> Json:
        from gateway.openapi.document import document

        return document(administration=administration)

    @cache
    def as_json() -> bytes:
        return json.dumps(whole(), ensure_ascii=False, separators=(",", ":")).encode()

    @cache
    def as_page() -> tuple[bytes, str]:
        from gateway.openapi.page import page

        return page(whole())

    @views.get("/openapi.json")
    @needs("read")
    def openapi() -> Response:
        return Response(as_json(), content_type="application/json; charset=utf-8")

    @views.get("/docs")
    @needs("read")
    def docs() -> Response:
        text, policy = as_page()
        headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        return Response(text, headers=headers, content_type="text/html; charset=utf-8")

    return views
