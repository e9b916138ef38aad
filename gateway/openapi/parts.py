"""What operations of the document are made of: parameters, bodies, answers, who may call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Json = dict[str, Any]
Access = Literal["read", "write", "admin"]
JSON = "application/json"
XML = "text/xml"
_WRONG_HTTP = (400, 404, 405, 408, 414, 417, 431)
"""What any request may be told before a dialect sees it."""
_WITH_A_BODY = (413, 415)
_WITH_CREDENTIALS = (401, 403, 429)
STATUSES: Mapping[int, str] = {
    400: "What came is no HTTP, or the body broke off.",
    401: "Credentials are missing or wrong.",
    403: "The user may not do this.",
    404: "There is no such path.",
    405: "The path has other methods, which `Allow` names.",
    408: "The request came too slowly.",
    413: "The body is larger than the limit.",
    414: "The request line is longer than the limit.",
    415: "The body is packed in an encoding other than gzip and deflate.",
    417: "An `Expect` other than `100-continue`.",
    429: "Too much at once, of this user or of all; `Retry-After` says when to come back.",
    431: "The headers are longer than the limit.",
    500: "An error of the gateway itself; its log has more under the request's id.",
}


def ref(name: str, kind: str = "schemas") -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def parameter(where: str, name: str, schema: Json, description: str, example: object = None) -> Json:
    """Path parameters are required; others are not unless their schema says ``required`` themselves."""
    made = {"name": name, "in": where, "required": where == "path", "description": description, "schema": schema}
    return made if example is None else made | {"example": example}


def table(example: str, description: str = "The table's name, or `NAME@GENERATION`.") -> Json:
    return parameter("path", "table", {"type": "string", "minLength": 1}, description, example)


def body(schema: Json, examples: Mapping[str, object]) -> Json:
    """A JSON body; examples by a sentence that says what they do."""
    shown = {
        f"example{place}": {"summary": says, "value": value} for place, (says, value) in enumerate(examples.items())
    }
    return {"required": True, "content": {JSON: {"schema": schema, "examples": shown}}}


def answer(description: str, schema: Json, *, xml: str | None = None) -> Json:
    """An answer in JSON, with ``xml`` (an example) one that is in XML unless the request asks for JSON."""
    content: Json = {JSON: {"schema": schema}}
    if xml is not None:
        content = {XML: {"example": xml}} | content
    return {"description": description, "headers": _headers(), "content": content}


def text_answer(description: str, media_type: str) -> Json:
    return {"description": description, "headers": _headers(), "content": {media_type: {}}}


def operation(
    name: str,
    tag: str,
    summary: str,
    answers: Mapping[int, Json],
    *,
    access: Access | None,
    description: str = "",
    parameters: Sequence[Json] = (),
    takes: Json | None = None,
) -> Json:
    """``access`` is the role that it takes, None for everybody."""
    statuses = [*_WRONG_HTTP, 500]
    if takes is not None:
        statuses += _WITH_A_BODY
    if access is not None:
        statuses += _WITH_CREDENTIALS
    refused = {status: ref(f"Http{status}", "responses") for status in sorted(statuses)}
    made: Json = {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": " ".join(filter(None, [description, _who(access)])),
        "security": [] if access is None else [{"basic": []}, {"bearer": []}],
        "parameters": [*parameters, ref("RequestId", "parameters")],
        "responses": {str(status): told for status, told in sorted((refused | dict(answers)).items())},
    }
    if takes is not None:
        made["requestBody"] = takes
    return made


def _who(access: Access | None) -> str:
    return "Anybody may call it." if access is None else f"Takes the role {access}."


def _headers() -> Json:
    return {"X-Opensearch-Request-ID": ref("RequestId", "headers")}


def http_responses() -> Json:
    """components/responses: what is no dialect's own."""
    return {
        f"Http{status}": answer(says, ref("HttpError")) | {"x-status": str(status)} for status, says in STATUSES.items()
    }
