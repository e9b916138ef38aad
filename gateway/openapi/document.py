"""The whole document."""

from __future__ import annotations

from importlib.metadata import version

from gateway.openapi import admin, ha, health, images, rows
from gateway.openapi.parts import Json, http_responses
from gateway.openapi.schemas import schemas

_ABOUT = """\
A gateway that answers Alibaba Cloud's image-search clients (HA3) over an engine of your own.

Where users are configured, calls take HTTP basic authentication; `read`, `write` and `admin` are the roles, each of \
which may what the one before may; a user may have `read` or `write` on single tables alone. \
Without any user the server is reached from its own machine alone and asks for \
nothing but the owner's token under /admin. Every answer has the header X-Opensearch-Request-ID: the client's own id, \
or a new one. GET takes HEAD, too. Bodies may be packed with gzip or deflate."""


def document(*, administration: bool) -> Json:
    """``administration``: whether the server has /admin and /changes."""
    paths = ha.paths() | rows.paths() | images.paths() | health.paths()
    if administration:
        paths |= admin.paths()
    return {
        "openapi": "3.1.0",
        "info": {"title": "havengate", "version": version("havengate"), "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas(administration=administration),
            "responses": http_responses(),
            "parameters": {"RequestId": _request_id() | {"name": "X-Opensearch-Request-ID", "in": "header"}},
            "headers": {"RequestId": _request_id()},
            "securitySchemes": _security(),
        },
    }


def _request_id() -> Json:
    says = "1 to 128 letters, digits, `_`, `.` and `-`; another one is replaced."
    return {"description": says, "schema": {"type": "string"}}


def _security() -> Json:
    return {
        "basic": {"type": "http", "scheme": "basic", "description": "A user and a password, in UTF-8."},
        "image": {
            "type": "apiKey",
            "in": "query",
            "name": "token",
            "description": "Opens the pictures of one table; made by POST /admin/tables/{table}/image-token.",
        },
        "bearer": {"type": "http", "scheme": "bearer", "description": "The token in server.json, new with each start."},
    }
