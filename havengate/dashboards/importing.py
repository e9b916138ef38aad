"""The saved objects API of OpenSearch Dashboards: POST /api/saved_objects/_import, replacing what is there.

Straight to the server, whatever proxies the environment names; a redirection is told and not followed, because the
password would go along. Answers as in src/core/server/saved_objects/import/types.ts.
"""

from __future__ import annotations

import json
import secrets
import ssl
from base64 import b64encode
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ValidationError

from havengate.errors import EngineError, Forbidden, RequestError, SettingsError, Unauthorized

if TYPE_CHECKING:
    from pathlib import Path

_PATH = "/api/saved_objects/_import?overwrite=true"
_MOST = 16 << 20
_EXCERPT = 300


@dataclass(frozen=True, slots=True)
class Server:
    """A Dashboards server and who is asking it; ``tenant`` of the security plugin, ``ca`` certificates to trust."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    tenant: str = ""
    ca: Path | None = None
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Imported:
    """How many objects are there now, and a sentence for each that is not."""

    count: int
    failures: tuple[str, ...]


class _Named(BaseModel):
    type: str
    id: str


class _Reason(BaseModel):
    type: str
    message: str = ""
    references: list[_Named] = []


class _Failure(_Named):
    error: _Reason


class _Answer(BaseModel):
    success: bool
    successCount: int  # noqa: N815  (their name)
    errors: list[_Failure] = []


def check_server(server: Server) -> SplitResult:
    """The URL's parts. Raises RequestError for what could not be asked."""
    try:
        url = urlsplit(server.url)
        right = url.scheme in ("http", "https") and url.hostname and url.port != 0
        plain = right and not (url.query or url.fragment or "@" in url.netloc)
    except ValueError:
        plain = False
    if not plain or not (server.url.isascii() and server.url.isprintable()) or " " in server.url:
        raise RequestError("a URL of OpenSearch Dashboards is like https://host:5601/path, without a password in it")
    if ":" in server.user or not (server.user + server.tenant).isprintable() or not server.tenant.isascii():
        raise RequestError("a user's name has no colon, a tenant's is ASCII, and both are printable")
    if server.ca is not None and url.scheme != "https":
        raise RequestError(f"--ca is for https, and {server.url} is not")
    return url


def load(server: Server, lines: str) -> Imported:
    """Imports an export's ``lines``; an object of the same type and id is replaced.

    Raises Unauthorized, Forbidden, RequestError for what the server calls wrong, EngineError where it does not answer
    or is something else, SettingsError for certificates that cannot be read.
    """
    boundary = secrets.token_hex(16)
    status, location, said = _asked(server, _multipart(lines, boundary), _headers(server, boundary))
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        who = f"the user {server.user!r}" if server.user else "requests without a user"
        refused = Unauthorized if status == HTTPStatus.UNAUTHORIZED else Forbidden
        raise refused(f"{server.url} does not accept {who}: {status} {_message(said)}".rstrip())
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise EngineError(f"{server.url} sends elsewhere, which is not followed with a password: {_short(location)}")
    if status != HTTPStatus.OK:
        kind = RequestError if status == HTTPStatus.BAD_REQUEST else EngineError
        raise kind(f"{server.url} answered {status}: {_message(said) or 'nothing more'}")
    try:
        answer = _Answer.model_validate_json(said)
    except ValidationError as error:
        message = f"{server.url} answered, but not as the saved objects API of OpenSearch Dashboards: {_short(said)}"
        raise EngineError(message) from error
    failures = tuple(map(_sentence, answer.errors))
    return Imported(answer.successCount, failures or (() if answer.success else ("it was not said why",)))


def _sentence(failure: _Failure) -> str:
    error = failure.error
    missing = ", ".join(f"{each.type} {each.id}" for each in error.references)
    more = ": ".join(part for part in (error.type.replace("_", " "), error.message, missing) if part)
    return f"{failure.type} {failure.id}: {more}"


def _asked(server: Server, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
    """Status, where it sends to, and the answer's beginning."""
    url = check_server(server)
    try:
        with closing(_connection(server, url)) as connection:
            connection.request("POST", f"{url.path.rstrip('/')}{_PATH}", body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Location", ""), answer.read(_MOST)
    except (OSError, HTTPException) as error:
        raise EngineError(f"{server.url} does not answer: {error or type(error).__name__}") from error


def _connection(server: Server, url: SplitResult) -> HTTPConnection:
    host = str(url.hostname)
    if url.scheme == "http":
        return HTTPConnection(host, url.port, timeout=server.timeout_s)
    try:
        trusted = ssl.create_default_context(cafile=server.ca)
    except OSError as error:
        raise SettingsError(f"--ca {server.ca}: {error.strerror or error}") from error
    return HTTPSConnection(host, url.port, timeout=server.timeout_s, context=trusted)


def _headers(server: Server, boundary: str) -> dict[str, str]:
    headers = {"osd-xsrf": "true", "Content-Type": f"multipart/form-data; boundary={boundary}"}
    if server.user:
        account = b64encode(f"{server.user}:{server.password}".encode()).decode()
        headers["Authorization"] = f"Basic {account}"
    if server.tenant:
        headers["securitytenant"] = server.tenant
    return headers


def _multipart(lines: str, boundary: str) -> bytes:
    """One part, whose name has to end in .ndjson."""
    head = 'Content-Disposition: form-data; name="file"; filename="havengate.ndjson"'
    return f"--{boundary}\r\n{head}\r\nContent-Type: application/ndjson\r\n\r\n{lines}\r\n--{boundary}--\r\n".encode()


def _message(said: bytes) -> str:
    """What a refusal says of itself."""
    try:
        return _short(str(json.loads(said)["message"]))
    except (ValueError, KeyError, TypeError):
        return _short(said)


def _short(said: str | bytes) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}..."
