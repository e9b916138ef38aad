"""GET /changes: the change history in JSON; with users configured for admins only, because it names people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field

from gateway.admin import read_query, refuse_browsers, refused
from gateway.admin_models import MOST_ID
from gateway.auth import needs
from gateway.errors import json_response
from havengate.errors import HavengateError

if TYPE_CHECKING:
    from ingest.administration import JobAdministration


class ChangesQuery(BaseModel):
    """What may stand in the query string."""

    model_config = ConfigDict(extra="forbid")

    table: str | None = None
    after: int = Field(0, ge=0, le=MOST_ID)
    since: float = Field(0.0, ge=0, allow_inf_nan=False)
    limit: int = Field(100, ge=1, le=10_000)


def blueprint(administration: JobAdministration) -> Blueprint:
    views = Blueprint("changes", __name__)
    views.before_request(refuse_browsers)

    @views.get("/changes")
    @needs("admin")
    def changes() -> Response:
        asked = read_query(ChangesQuery, request.args)
        found = administration.changes(table=asked.table, after=asked.after, since=asked.since, limit=asked.limit)
        return json_response({"changes": found})

    views.register_error_handler(HavengateError, refused)
    return views
