"""The administration of a data folder that a server holds, asked for over the server's own /admin."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

from havengate import errors
from havengate.cli.files import bring, move
from havengate.errors import EngineError, HavengateError, RequestError, SourceError, Unauthorized
from ingest.administration import BACKUPS

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.jobs.model import State
    from ingest.jobs.store import Ask
    from ingest.rebuild.request import Rebuild
    from schemas.vendor import VendorSchema

Json = dict[str, Any]
_PROBE_S = 5.0
_ANSWER_S = 300.0


@dataclass(frozen=True, slots=True)
class Server:
    """What server.json says."""

    url: str
    pid: int
    token: str
    certificate: str = ""
    """The file that it serves https with."""


def running_server(data_dir: Path) -> Server | None:
    """The server that holds a data folder, if it is there, answers, and shows its file to this user."""
    server = _recorded(data_dir)
    if server is not None:
        with suppress(EngineError):
            _answer(server, "GET", "/healthz", timeout_s=_PROBE_S)
            return server
    return None


def _recorded(data_dir: Path) -> Server | None:
    """Whether it answers is not known."""
    try:
        said = json.loads((data_dir / "server.json").read_text())
        os.kill(int(said["pid"]), 0)
        return Server(str(said["url"]), int(said["pid"]), str(said["token"]), str(said.get("certificate", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class RemoteAdministration:
    """Implements ingest.administration.Administration. Every method raises what the server was refused with, and
    EngineError where the server went away.
    """

    data_dir: Path
    by: str
    """Name of the user of the system."""

    def jobs(self, *, table: str | None = None, state: State | None = None, limit: int = 100) -> list[Json]:
        return self._list("jobs", {"table": table, "state": state, "limit": limit})

    def job(self, number: int) -> Json:
        return self._ask("GET", f"/admin/jobs/{number}")

    def rejects(self, number: int, *, after: int = 0, limit: int = 1000) -> list[Json]:
        found = self._ask("GET", f"/admin/jobs/{number}/rejects?{urlencode({'after': after, 'limit': limit})}")
        return list(found["rejects"])

    def ask(self, number: int, what: Ask) -> Json:
        return self._ask("POST", f"/admin/jobs/{number}/{what}")

    def changes(self, *, table: str | None = None, after: int = 0, since: float = 0.0, limit: int = 100) -> list[Json]:
        return self._list("changes", {"table": table, "after": after, "since": since, "limit": limit})

    def create_table(self, name: str, schema: VendorSchema, pairs: Sequence[str] = ()) -> Json:
        asked = {"name": name, "schema": schema.to_json(), "settings": _settings(pairs)}
        return self._ask("POST", "/admin/tables", asked)

    def tables(self) -> list[Json]:
        return self._list("tables", {})

    def table(self, name: str) -> Json:
        return self._ask("GET", _of(name))

    def set_table(self, name: str, pairs: Sequence[str]) -> Json:
        return self._ask("PATCH", _of(name), {"settings": _settings(pairs)})

    def drop_table(self, name: str) -> Json:
        return self._ask("DELETE", _of(name))

    def image_token(self, table: str, days: int = 365) -> Json:
        return self._ask("POST", f"{_of(table)}/image-token", {"days": days})

    def generations(self, name: str) -> list[Json]:
        return list(self._ask("GET", f"{_of(name)}/generations")["generations"])

    def ingest(self, table: str, source: str, *, max_rejects: int | None = None, restart: bool = False) -> Json:
        asked = {"kind": "ingest", "table": table, "source": source, "max_rejects": max_rejects, "restart": restart}
        return self._ask("POST", "/admin/jobs", asked)

    def plan_rebuild(self, table: str, rebuild: Rebuild) -> Json:
        return self._ask("POST", "/admin/plans", _rebuild(table, rebuild))

    def rebuild(self, table: str, rebuild: Rebuild) -> Json:
        return self._ask("POST", "/admin/jobs", _rebuild(table, rebuild))

    def rollback(self, table: str, generation: str | None = None, *, strict: bool = False) -> Json:
        asked = {"kind": "rollback", "table": table, "generation": generation, "strict": strict}
        return self._ask("POST", "/admin/jobs", asked)

    def backup(self, table: str, file: Path) -> Json:
        """The server writes below its own folder only; from there the file is moved."""
        if file.exists():
            raise RequestError(f"{file} is there already; name another file")
        if not file.parent.is_dir():
            raise RequestError(f"there is no folder {file.parent}")
        name = f"{table}-{uuid4().hex}.tar"
        made = self._ask("POST", f"{_of(table)}/backup", {"file": name}, None)
        move(self.data_dir / BACKUPS / name, file)
        return made

    def restore(self, file: Path, table: str | None = None) -> Json:
        """The server reads from its own folder only; the file is there for as long as it does."""
        kept = self.data_dir / BACKUPS / f"restoring-{uuid4().hex}.tar"
        bring(file, kept)
        try:
            return self._ask("POST", "/admin/restore", {"file": kept.name, "table": table}, None)
        except SourceError as error:
            raise SourceError(error.message.replace(kept.name, file.name)) from error
        finally:
            kept.unlink(missing_ok=True)

    def _list(self, what: str, query: Mapping[str, object]) -> list[Json]:
        asked = urlencode({key: value for key, value in query.items() if value is not None})
        place = what if what == "changes" else f"admin/{what}"
        return list(self._ask("GET", f"/{place}?{asked}")[what])

    def _ask(self, method: str, target: str, body: Json | None = None, timeout_s: float | None = _ANSWER_S) -> Json:
        # Read anew: a server that was started again has another token.
        server = _recorded(self.data_dir)
        if server is None:
            raise EngineError("the server that held the data folder is gone")
        try:
            return _answer(server, method, target, timeout_s=timeout_s, body=body, by=self.by)
        except Unauthorized:
            # Its next worker may have answered, which has another token.
            following = _recorded(self.data_dir)
            if following in (None, server):
                raise
            return _answer(following, method, target, timeout_s=timeout_s, body=body, by=self.by)


def _rebuild(table: str, rebuild: Rebuild) -> Json:
    wanted = rebuild.wanted
    return {
        "kind": "rebuild",
        "table": table,
        "schema": wanted.schema and dict(wanted.schema),
        "settings": _settings(wanted.settings),
        "source": wanted.source,
        "force": rebuild.force,
        "max_rejects": rebuild.max_rejects,
        "min_overlap": rebuild.min_overlap,
    }


def _settings(pairs: Sequence[str]) -> Json:
    return dict(pair.partition("=")[::2] for pair in pairs)


def _of(table: str) -> str:
    return f"/admin/tables/{quote(table, safe='')}"


def _answer(
    server: Server, method: str, target: str, *, timeout_s: float | None, body: Json | None = None, by: str = ""
) -> Json:
    """Straight to the server, whatever proxies the environment names."""
    headers = {"Authorization": f"Bearer {server.token}", "X-Havengate-By": quote(by)}
    sent = None if body is None else json.dumps(body).encode()
    if sent is not None:
        headers["Content-Type"] = "application/json"
    try:
        with closing(_connection(server, timeout_s)) as connection:
            connection.request(method, target, body=sent, headers=headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
    except (OSError, HTTPException, ValueError) as error:
        raise EngineError(f"the server at {server.url} does not answer: {error or type(error).__name__}") from error
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise _error(said, answer.status)
    return dict(said)


class _PinnedConnection(HTTPSConnection):
    """To the very certificate in a file, whatever names and dates it has: a server is asked by an address, and before
    anything is said to it.
    """

    def __init__(self, host: str, port: int | None, timeout_s: float | None, certificate: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(host, port, timeout=timeout_s, context=context)
        self._certificate = certificate

    def connect(self) -> None:
        super().connect()
        text = self._certificate.read_text(encoding="ascii", errors="replace")
        begin, end = text.find(ssl.PEM_HEADER), text.find(ssl.PEM_FOOTER) + len(ssl.PEM_FOOTER)
        if self.sock.getpeercert(binary_form=True) != ssl.PEM_cert_to_DER_cert(text[begin:end]):
            raise ssl.SSLError(f"its certificate is not the one in {self._certificate}")


def _connection(server: Server, timeout_s: float | None) -> HTTPConnection:
    from pathlib import Path

    where = urlsplit(server.url)
    if where.scheme == "https":
        return _PinnedConnection(str(where.hostname), where.port, timeout_s, Path(server.certificate))
    return HTTPConnection(str(where.hostname), where.port, timeout=timeout_s)


def _error(said: Any, status: int) -> HavengateError:
    """What the server was refused with, as it was raised there."""
    try:
        first = said["errors"][0]
        kind = getattr(errors, first["type"])
        return kind(first["message"]) if issubclass(kind, HavengateError) else EngineError(first["message"])
    except (KeyError, IndexError, TypeError, AttributeError):
        message = said.get("message") if isinstance(said, dict) else None
        kind = Unauthorized if status == HTTPStatus.UNAUTHORIZED else EngineError
        return kind(f"the server answered {status}: {message or 'nothing more'}")
