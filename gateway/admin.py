"""/admin: what the command line needs while a server holds the data folder (docs/administration.md).

For users with the role admin, and for who holds the token in server.json; without users for the latter alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from flask import Blueprint, Response, g, request
from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel, ValidationError

from gateway.auth import caller, needs
from gateway.bodies import decode_json, read_body
from gateway.errors import json_response, log_if_ours, status_body
from gateway.slots import without_slot
from havengate.errors import HavengateError, RequestError, SettingsError
from ingest.administration import BACKUPS
from ingest.rebuild.decide import Wanted
from ingest.rebuild.request import Rebuild
from schemas.vendor import VendorSchema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingest.table_administration import LocalAdministration

Json = dict[str, Any]
_MOST_BODY = 4 << 20
_MOST_LISTED = 10_000
_NAME = Field(min_length=1, max_length=64)
Model = TypeVar("Model", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewTable(_Body):
    """POST /admin/tables."""

    name: str = _NAME
    schema_: VendorSchema = Field(alias="schema", repr=False)
    settings: dict[str, str | bool] = {}


class NewSettings(_Body):
    """PATCH /admin/tables/{table}."""

    settings: dict[str, str | bool]


class NewIngest(_Body):
    """POST /admin/jobs."""

    kind: Literal["ingest"]
    table: str = _NAME
    source: str = Field(min_length=1)
    max_rejects: int | None = Field(None, ge=0)
    restart: bool = False

    def begin(self, administration: LocalAdministration) -> Json:
        return administration.ingest(self.table, self.source, max_rejects=self.max_rejects, restart=self.restart)


class NewRebuild(_Body):
    """POST /admin/jobs, and POST /admin/plans for what it would do."""

    kind: Literal["rebuild"]
    table: str = _NAME
    schema_: dict[str, JsonValue] | None = Field(None, alias="schema", repr=False)
    settings: dict[str, str | bool] = {}
    source: str = ""
    force: bool = False
    max_rejects: int | None = Field(0, ge=0)
    min_overlap: float | None = Field(None, ge=0, le=1)

    @property
    def rebuild(self) -> Rebuild:
        wanted = Wanted(self.schema_, _pairs(self.settings), self.source)
        return Rebuild(wanted, force=self.force, max_rejects=self.max_rejects, min_overlap=self.min_overlap)

    def begin(self, administration: LocalAdministration) -> Json:
        return administration.rebuild(self.table, self.rebuild)


class NewRollback(_Body):
    """POST /admin/jobs."""

    kind: Literal["rollback"]
    table: str = _NAME
    generation: str | None = None
    strict: bool = False

    def begin(self, administration: LocalAdministration) -> Json:
        return administration.rollback(self.table, self.generation, strict=self.strict)


class NewJob(RootModel[Annotated[NewIngest | NewRebuild | NewRollback, Field(discriminator="kind")]]):
    model_config = ConfigDict(hide_input_in_errors=True)


_BACKUP = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}$")
"""A file's name in the folder ``backups`` of the data folder: nobody is let near other paths over HTTP."""


class NewBackup(_Body):
    """POST /admin/tables/{table}/backup."""

    file: str = _BACKUP


class NewRestore(_Body):
    """POST /admin/restore."""

    file: str = _BACKUP
    table: str | None = None


class JobsQuery(_Body):
    table: str | None = None
    state: Literal["queued", "running", "paused", "failed", "cancelled", "done"] | None = None
    limit: int = Field(100, ge=1, le=_MOST_LISTED)


class RejectsQuery(_Body):
    after: int = Field(0, ge=0)
    limit: int = Field(1000, ge=1, le=_MOST_LISTED)


def blueprint(administration: LocalAdministration) -> Blueprint:
    views = Blueprint("admin", __name__, url_prefix="/admin")
    views.before_request(refuse_browsers)
    _add_tables(views, administration)
    _add_backups(views, administration)
    _add_jobs(views, administration)
    views.register_error_handler(HavengateError, refused)
    return views


def _add_tables(views: Blueprint, administration: LocalAdministration) -> None:
    def here() -> LocalAdministration:
        return replace(administration, by=caller())

    @views.get("/tables")
    @needs("admin", owner=True)
    def tables() -> Response:
        return json_response({"tables": here().tables()})

    @views.post("/tables")
    @needs("admin", owner=True)
    def create() -> Response:
        asked = read_json(NewTable)
        return json_response(here().create_table(asked.name, asked.schema_, _pairs(asked.settings)), 201)

    @views.get("/tables/<table>")
    @needs("admin", owner=True)
    def show(table: str) -> Response:
        return json_response(here().table(table))

    @views.patch("/tables/<table>")
    @needs("admin", owner=True)
    def settings(table: str) -> Response:
        return json_response(here().set_table(table, _pairs(read_json(NewSettings).settings)))

    @views.delete("/tables/<table>")
    @needs("admin", owner=True)
    def drop(table: str) -> Response:
        # Running jobs of the table are waited for.
        with without_slot(request.environ):
            return json_response(here().drop_table(table))

    @views.get("/tables/<table>/generations")
    @needs("admin", owner=True)
    def generations(table: str) -> Response:
        return json_response({"generations": here().generations(table)})


def _add_backups(views: Blueprint, administration: LocalAdministration) -> None:
    folder = administration.services.settings.data_dir / BACKUPS

    @views.post("/tables/<table>/backup")
    @needs("admin", owner=True)
    def backup(table: str) -> Response:
        asked = read_json(NewBackup)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with without_slot(request.environ):
            made = replace(administration, by=caller()).backup(table, folder / asked.file)
        return json_response({"file": f"{BACKUPS}/{asked.file}", **made}, 201)

    @views.post("/restore")
    @needs("admin", owner=True)
    def restore() -> Response:
        asked = read_json(NewRestore)
        with without_slot(request.environ):
            return json_response(replace(administration, by=caller()).restore(folder / asked.file, asked.table), 201)


def _add_jobs(views: Blueprint, administration: LocalAdministration) -> None:
    def here() -> LocalAdministration:
        return replace(administration, by=caller())

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
            return json_response(read_json(NewJob).root.begin(here()), 202)

    @views.post("/plans")
    @needs("admin", owner=True)
    def plan() -> Response:
        asked = read_json(NewRebuild)
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
    return None


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


def _pairs(settings: Mapping[str, str | bool]) -> tuple[str, ...]:
    return tuple(f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in settings.items())
