"""/admin: what the command line needs while a server holds the data folder (docs/administration.md).

For users with the role admin, and for who holds the token in server.json; without users for the latter alone.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, request
from pydantic import BaseModel, ValidationError

from gateway import audit
from gateway.admin_models import (
    JobsQuery,
    NewBackup,
    NewImageToken,
    NewJob,
    NewRebuild,
    NewRestore,
    NewSettings,
    NewTable,
    RejectsQuery,
    pairs,
)
from gateway.auth import caller, is_known, needs
from gateway.bodies import decode_json, read_body
from gateway.errors import json_response, log_if_ours, status_body
from gateway.slots import without_slot
from havengate.errors import HavengateError, RequestError, SettingsError
from ingest.administration import BACKUPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingest.table_administration import LocalAdministration

_MOST_BODY = 4 << 20
Model = TypeVar("Model", bound=BaseModel)


def blueprint(administration: LocalAdministration) -> Blueprint:
    views = Blueprint("admin", __name__, url_prefix="/admin")
    views.before_request(refuse_browsers)
    _add_tables(views, administration)
    _add_backups(views, administration)
    _add_jobs(views, administration)
    views.register_error_handler(HavengateError, refused)
    return views


def _called(administration: LocalAdministration) -> LocalAdministration:
    """On behalf of who sent the request."""
    return replace(administration, by=caller())


def _add_tables(views: Blueprint, administration: LocalAdministration) -> None:
    here = partial(_called, administration)

    @views.get("/tables")
    @needs("admin", owner=True)
    def tables() -> Response:
        return json_response({"tables": here().tables()})

    @views.post("/tables")
    @needs("admin", owner=True)
    def create() -> Response:
        asked = read_json(NewTable)
        audit.note(table=asked.name)
        return json_response(here().create_table(asked.name, asked.vendor, pairs(asked.settings)), 201)

    @views.get("/tables/<table>")
    @needs("admin", owner=True)
    def show(table: str) -> Response:
        return json_response(here().table(table))

    @views.patch("/tables/<table>")
    @needs("admin", owner=True)
    def settings(table: str) -> Response:
        return json_response(here().set_table(table, pairs(read_json(NewSettings).settings)))

    @views.delete("/tables/<table>")
    @needs("admin", owner=True)
    def drop(table: str) -> Response:
        # Running jobs of the table are waited for.
        with without_slot(request.environ):
            return json_response(here().drop_table(table))

    @views.post("/tables/<table>/image-token")
    @needs("admin", owner=True)
    def image_token(table: str) -> Response:
        return json_response(here().image_token(table, read_json(NewImageToken).days), 201)

    @views.get("/tables/<table>/generations")
    @needs("admin", owner=True)
    def generations(table: str) -> Response:
        return json_response({"generations": here().generations(table)})


def _add_backups(views: Blueprint, administration: LocalAdministration) -> None:
    here = partial(_called, administration)
    folder = administration.services.settings.data_dir / BACKUPS

    @views.post("/tables/<table>/backup")
    @needs("admin", owner=True)
    def backup(table: str) -> Response:
        asked = read_json(NewBackup)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with without_slot(request.environ):
            made = here().backup(table, folder / asked.file)
        return json_response({"file": f"{BACKUPS}/{asked.file}", **made}, 201)

    @views.post("/restore")
    @needs("admin", owner=True)
    def restore() -> Response:
        asked = read_json(NewRestore)
        audit.note(table=asked.table or "")
        with without_slot(request.environ):
            return json_response(here().restore(folder / asked.file, asked.table), 201)


def _add_jobs(views: Blueprint, administration: LocalAdministration) -> None:
    here = partial(_called, administration)

    @views.get("/jobs")
    @needs("admin", owner=True)
    def jobs() -> Response:
        asked = read_query(JobsQuery, request.args)
        return json_response({"jobs": here().jobs(table=asked.table, state=asked.state, limit=asked.limit)})

    @views.post("/jobs")
    @needs("admin", owner=True)
    def submit() -> Response:
        # An unfinished job may have to end before.
        with without_slot(request.environ):
            asked = read_json(NewJob).root
            audit.note(table=asked.table)
            return json_response(asked.begin(here()), 202)

    @views.post("/plans")
    @needs("admin", owner=True)
    def plan() -> Response:
        asked = read_json(NewRebuild)
        audit.note(table=asked.table)
        # A model may have to be read.
        with without_slot(request.environ):
            return json_response(here().plan_rebuild(asked.table, asked.rebuild))

    @views.get("/jobs/<int:number>")
    @needs("admin", owner=True)
    def job(number: int) -> Response:
        return json_response(here().job(number))

    @views.get("/jobs/<int:number>/rejects")
    @needs("admin", owner=True)
    def rejects(number: int) -> Response:
        asked = read_query(RejectsQuery, request.args)
        return json_response({"rejects": here().rejects(number, after=asked.after, limit=asked.limit)})

    @views.post("/jobs/<int:number>/<any(pause, resume, cancel, retry):what>")
    @needs("admin", owner=True)
    def ask(number: int, what: Literal["pause", "resume", "cancel", "retry"]) -> Response:
        return json_response(here().ask(number, what))


def refuse_browsers() -> Response | None:
    """No page that a browser shows has business here: not a foreign one that knows where a server listens, and not
    one whose name was made to point at this machine (SECURITY.md).
    """
    sent = request.headers
    if "Origin" in sent or sent.get("Sec-Fetch-Site", "none") != "none":
        return json_response(status_body(403, "pages in browsers may not use this"), 403)
    # A browser that was misled says neither, but asks for a name; it has no credentials, which need no such check.
    if not is_known() and not _is_this_machine(request.host):
        return json_response(status_body(403, "without users this is for 127.0.0.1, ::1 and localhost"), 403)
    return None


def _is_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def refused(error: HavengateError) -> Response:
    log_if_ours(error)
    entry = {"code": int(error.code), "name": error.name, "type": type(error).__name__, "message": error.message}
    # A setting that is wrong is this server's fault only where its own are read.
    status = 400 if isinstance(error, SettingsError) else error.http_status
    return json_response({"errors": [entry], "request_id": g.request_id}, status)


def read_json(form: type[Model]) -> Model:
    """The request's body. Raises RequestError naming what is wrong, never quoting it: it may hold a secret."""
    if request.mimetype != "application/json":
        raise RequestError("Content-Type has to be application/json")
    return _validated(form, decode_json(read_body(request, _MOST_BODY)))


def read_query(form: type[Model], sent: Mapping[str, str]) -> Model:
    """The query string, the first of values with one name. Raises RequestError naming what is wrong."""
    return _validated(form, {**sent})


def _validated(form: type[Model], value: Any) -> Model:
    try:
        return form.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise RequestError(f"{where}: {first['msg']}") from error
