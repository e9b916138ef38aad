"""POST /update/{data_source}/actions/bulk: the SDK's push_documents.

The answer's ``status`` is ``OK`` only when every document is durable: clients test exactly that
(``json["status"] == "OK"``) before they trust the ids they sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request

from gateway import audit
from gateway.auth import allow, caller, needs, sees_all_tables
from gateway.bodies import decode_json, read_body
from gateway.errors import json_response, log_if_ours
from gateway.stages import add_stages
from havengate.codes import HaCode
from havengate.documents import Command
from havengate.errors import Forbidden, HavengateError, RequestError, excerpt

if TYPE_CHECKING:
    from engines.contract import TableSpec
    from havengate.documents import Failure, PushReport
    from havengate.services import Services
    from ingest.history import ChangeLog

_KEY_HEADER = "X-Opensearch-Swift-PK-Field"
Json = dict[str, Any]


def blueprint(services: Services, history: ChangeLog | None = None) -> Blueprint:
    """``history`` gets the volume of every push."""
    views = Blueprint("push", __name__)
    limits, most = services.settings.limits, services.settings.push.max_documents

    @views.post("/update/<data_source>/actions/bulk")
    @needs("write")
    def bulk(data_source: str) -> Response:
        table = _target(services, data_source)
        _check_key_field(table, request.headers.get(_KEY_HEADER))
        documents = _documents(decode_json(read_body(request, limits.body)), most)
        positions, commands, bad = _commands(documents)
        report = services.documents.push(table, commands)
        add_stages(report.timings)
        rejected = len(bad) + len(report.failures)
        audit.note(written=report.written, deleted=report.deleted, rejected=rejected)
        if history is not None:
            history.pushed(table.name, caller(), written=report.written, deleted=report.deleted, rejected=rejected)
        errors = bad + [_failure(failure, positions[failure.index]) for failure in report.failures]
        return json_response(_body(report, sorted(errors, key=lambda error: error["index"])))

    @views.errorhandler(HavengateError)
    def refused(error: HavengateError) -> Response:
        log_if_ours(error)
        return json_response(_answer("ERROR", 0, 0, [_error(None, None, error.code, error.message)]))

    return views


def _target(services: Services, data_source: str) -> TableSpec:
    """Raises UnknownTable, Forbidden."""
    by_name = not sees_all_tables()
    if by_name:
        allow("write", data_source)
    table = services.tables.push_target(data_source)
    allow("write", table.name)
    audit.note(table=table.name)
    if by_name and data_source != table.name:
        # With an instance before the name it would depend on tables that the caller may not know of which one is meant.
        raise Forbidden("Forbidden")
    return table


def _check_key_field(table: TableSpec, sent: str | None) -> None:
    key = table.schema.primary_key
    if sent is not None and sent != key:
        raise RequestError(f"{_KEY_HEADER} is {excerpt(repr(sent))}, the key of table {table.name!r} is {key!r}")


def _documents(body: object, most: int) -> list[object]:
    if not isinstance(body, list):
        raise RequestError("the body is not a JSON array of documents", code=HaCode.KEY_VALUE_PAIR)
    if len(body) > most:
        raise RequestError(
            f"{len(body)} documents, the most is {most}; nothing was written", code=HaCode.KEY_VALUE_PAIR
        )
    return body


def _commands(documents: list[object]) -> tuple[list[int], list[Command], list[Json]]:
    """Commands with their places in the push, and an error for each document that is not even one."""
    positions, commands, bad = [], [], []
    for index, document in enumerate(documents):
        reason = _misshapen(document)
        if reason is None and isinstance(document, dict):
            positions.append(index)
            commands.append(Command(document["cmd"], document["fields"]))
        else:
            bad.append(_error(index, None, HaCode.KEY_VALUE_PAIR, reason or ""))
    return positions, commands, bad


def _misshapen(document: object) -> str | None:
    if not isinstance(document, dict):
        return 'a document is an object: {"cmd": …, "fields": {…}}'
    if not isinstance(document.get("cmd"), str):
        return "cmd is missing or no string"
    if not isinstance(document.get("fields"), dict):
        return "fields is missing or no object"
    unknown = document.keys() - {"cmd", "fields"}
    return f"unknown key {excerpt(repr(min(unknown)))} beside cmd and fields" if unknown else None


def _failure(failure: Failure, position: int) -> Json:
    return _error(position, failure.pk, failure.code, failure.message)


def _error(index: int | None, key: str | None, code: HaCode, message: str) -> Json:
    return {"index": index, "id": key, "code": int(code), "message": message}


def _body(report: PushReport, errors: list[Json]) -> Json:
    return _answer("ERROR" if errors else "OK", report.written, report.deleted, errors)


def _answer(status: str, written: int, deleted: int, errors: list[Json]) -> Json:
    return {"status": status, "request_id": g.request_id, "written": written, "deleted": deleted, "errors": errors}
