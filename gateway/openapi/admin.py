"""/admin and /changes in the document; models of gateway.admin_models, answers of what ingest hands out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.admin_models import JobsQuery, RejectsQuery
from gateway.changes import ChangesQuery
from gateway.openapi.parts import Json, answer, body, operation, parameter, ref, table

if TYPE_CHECKING:
    from pydantic import BaseModel

TABLES, JOBS = "Administration", "Jobs and history"
_ABOUT = (
    "For users with the role admin, and for who holds the token in `server.json`; without users for the latter alone. "
    "Not for pages in browsers: a request with an `Origin` is 403."
)
_REFUSED = {
    400: "What is asked for is wrong; the message names the place.",
    404: "There is no such table, generation or job.",
    409: "It cannot be now, or is there already.",
    422: "A source or backup cannot be read as asked.",
    503: "The engine or a service is away.",
    504: "It took longer than it may.",
}
_VECTOR = {"vector_model": "builtin", "vector_modal": "image", "vector_source_field": "vector_source_image"}
_SCHEMA = {
    "fields": [
        {"field_name": "id", "field_type": "INT64"},
        {"field_name": "vector_source_image", "field_type": "STRING"},
        {"field_name": "vector", "field_type": "FLOAT", "multi_value": True, "user_defined_param": _VECTOR},
    ]
}


def paths() -> Json:
    return {
        "/admin/tables": {"get": _tables(), "post": _create()},
        "/admin/tables/{table}": {"get": _show(), "patch": _set(), "delete": _drop()},
        "/admin/tables/{table}/image-token": {"post": _image_token()},
        "/admin/tables/{table}/generations": {"get": _generations()},
        "/admin/tables/{table}/backup": {"post": _backup()},
        "/admin/restore": {"post": _restore()},
        "/admin/plans": {"post": _plan()},
        "/admin/jobs": {"get": _jobs(), "post": _submit()},
        "/admin/jobs/{number}": {"get": _job()},
        "/admin/jobs/{number}/rejects": {"get": _rejects()},
        "/admin/jobs/{number}/{what}": {"post": _ask()},
        "/changes": {"get": _changes()},
    }


def asked(name: str, tag: str, summary: str, status: int, told: Json, **more: Any) -> Json:
    """An operation with the errors of /admin."""
    refused = {status: answer(says, ref("AdminErrors")) for status, says in _REFUSED.items()}
    answers = {**refused, 401: ref("Http401", "responses"), status: told}
    return operation(name, tag, summary, answers, access="admin", **more)


def listing(key: str, item: str) -> Json:
    return {"type": "object", "required": [key], "properties": {key: {"type": "array", "items": ref(item)}}}


def query(model: type[BaseModel], **examples: object) -> list[Json]:
    """Parameters that are the properties of a model of a query string."""
    found = model.model_json_schema()["properties"]
    return [parameter("query", name, schema, "", examples.get(name)) for name, schema in found.items()]


def _tables() -> Json:
    told = answer("By name.", listing("tables", "TableCounts"))
    return asked("listTables", TABLES, "All tables and what is in them", 200, told, description=_ABOUT)


def _create() -> Json:
    examples = {"pictures that are pushed": {"name": "shoes", "schema": _SCHEMA, "settings": {"text": "plain"}}}
    told = answer("It is there.", ref("TableCreated"))
    return asked("createTable", TABLES, "Make a table", 201, told, takes=body(ref("NewTable"), examples))


def _show() -> Json:
    told = answer("Schema (secrets masked), settings, fingerprints, counts.", ref("TableShown"))
    return asked("showTable", TABLES, "One table", 200, told, parameters=[table("general")])


def _set() -> Json:
    takes = body(ref("NewSettings"), {"strict answers": {"settings": {"strict": False}}})
    told = answer("All settings, as they are then.", {"type": "object"})
    return asked("setTable", TABLES, "Change a table's settings", 200, told, parameters=[table("shoes")], takes=takes)


def _drop() -> Json:
    told = answer("`cancelled` are the jobs that it had.", ref("TableDropped"))
    return asked("dropTable", TABLES, "Drop a table with all its rows", 200, told, parameters=[table("shoes")])


def _image_token() -> Json:
    takes = body(ref("NewImageToken"), {"for a year": {"days": 365}})
    told = answer("Read-only, of this table, until `expires` (seconds of the epoch).", ref("ImageToken"))
    return asked("makeImageToken", TABLES, "A token for /images", 201, told, parameters=[table("general")], takes=takes)


def _generations() -> Json:
    told = answer("Oldest first.", listing("generations", "Generation"))
    return asked("listGenerations", TABLES, "A table's builds", 200, told, parameters=[table("general")])


def _backup() -> Json:
    takes = body(ref("NewBackup"), {"a file in the folder backups": {"file": "clothes.tar"}})
    told = answer("It is written.", ref("BackedUp"))
    return asked("backupTable", TABLES, "Back a table up", 201, told, parameters=[table("clothes")], takes=takes)


def _restore() -> Json:
    takes = body(ref("NewRestore"), {"under another name": {"file": "clothes.tar", "table": "clothes_again"}})
    told = answer("It is there; `secrets` are the places in its schema to set again.", ref("Restored"))
    return asked("restoreTable", TABLES, "Make a table of a backup", 201, told, takes=takes)


def _plan() -> Json:
    takes = body(ref("NewRebuild"), {"another setting": {"kind": "rebuild", "table": "clothes", "force": True}})
    told = answer("In sentences, and why it cannot.", ref("RebuildPlanned"))
    return asked("planRebuild", JOBS, "What a rebuild would do", 200, told, takes=takes)


def _jobs() -> Json:
    parameters = query(JobsQuery, table="general", state="running", limit=10)
    told = answer("Newest first.", listing("jobs", "Job"))
    return asked("listJobs", JOBS, "Jobs", 200, told, parameters=parameters)


def _submit() -> Json:
    takes = body(
        ref("NewJob"),
        {"the table built again, beside itself": {"kind": "rebuild", "table": "clothes", "force": True}},
    )
    told = answer("The job: a new one, or the one that was begun and has not ended.", ref("Job"))
    return asked("beginJob", JOBS, "Read a source, rebuild, roll back", 202, told, takes=takes)


def _number() -> Json:
    return parameter("path", "number", {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}, "The job's number.", 1)


def _job() -> Json:
    return asked("showJob", JOBS, "One job", 200, answer("As it is now.", ref("Job")), parameters=[_number()])


def _rejects() -> Json:
    told = answer("In the order of the source.", listing("rejects", "Reject"))
    parameters = [_number(), *query(RejectsQuery, after=0, limit=100)]
    return asked("listRejects", JOBS, "Rows that a job did not take", 200, told, parameters=parameters)


def _ask() -> Json:
    what = parameter(
        "path", "what", {"enum": ["pause", "resume", "cancel", "retry"]}, "Done at the next checkpoint.", "pause"
    )
    told = answer("The job as it is then.", ref("Job"))
    return asked("askJob", JOBS, "Pause, resume, cancel, retry", 200, told, parameters=[_number(), what])


def _changes() -> Json:
    parameters = query(ChangesQuery, table="clothes", limit=10)
    told = answer("Newest last.", listing("changes", "Change"))
    return asked("listChanges", JOBS, "The change history", 200, told, parameters=parameters)
