"""Basic authentication: users from the settings, salted hashes, three roles; and the token of this server's owner."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote

from flask import Flask, Response, current_app, g, request
from werkzeug.security import check_password_hash, generate_password_hash

from gateway.errors import json_response, status_body
from gateway.slots import without_slot
from havengate.errors import AccessError, SettingsError, Unauthorized

ROLES = ("read", "write", "admin")
_HASH = re.compile(r"(scrypt(:\d+){3}|pbkdf2:\w+:\d+)\$[^$]+\$[0-9a-f]+")
_ROLE_ATTRIBUTE = "havengate_role"
_OWNER_ATTRIBUTE = "havengate_owner"
_ANYBODY = "anonymous"
_NAMELESS = "token"
BY_HEADER = "X-Havengate-By"
_LONGEST_NAME = 64
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="havengate", charset="UTF-8"'}
_MOST_CHECKS = 2
_RETRY_S = 1
_View = TypeVar("_View", bound=Callable[..., object])
Check = Callable[[str, str], bool]
"""Whether a hash is that of a password."""


@dataclass(frozen=True, slots=True)
class User:
    name: str
    role: str
    password_hash: str


def parse_users(text: str) -> dict[str, User]:
    """Users by name from comma-separated ``name:role:hash``.

    Raises SettingsError naming the user, never the hash.
    """
    users: dict[str, User] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, rest = entry.partition(":")
        role, _, password_hash = rest.partition(":")
        if not name or name in users:
            raise SettingsError(f"HAVENGATE_AUTH__USERS: user {name!r} stands twice or has no name")
        if role not in ROLES:
            raise SettingsError(f"HAVENGATE_AUTH__USERS: user {name!r} needs one of the roles {', '.join(ROLES)}")
        if not _HASH.fullmatch(password_hash):
            raise SettingsError(f"HAVENGATE_AUTH__USERS: user {name!r} has no hash as `havengate user hash` makes it")
        users[name] = User(name, role, password_hash)
    return users


def hash_password(password: str) -> str:
    """A salted scrypt hash for HAVENGATE_AUTH__USERS."""
    return generate_password_hash(password, "scrypt")


class TooManyChecks(AccessError):
    """Others' passwords are being checked; nothing was said about this one."""

    http_status = 429


class Authenticator:
    """Says who sent an Authorization header. May be called from several threads.

    A check costs scrypt's tens of milliseconds, so one digest a user, under a key that dies with the process,
    remembers what was proven. A flood of wrong passwords gets one core and no queue; callers that come at once with
    the same credentials share one check.
    """

    def __init__(self, users: Mapping[str, User], check: Check = check_password_hash) -> None:
        self._users = users
        self._check = check
        self._key = secrets.token_bytes(32)
        self._proven: dict[str, bytes] = {}
        self._slow = threading.Lock()
        self._checks: dict[bytes, Future[bool]] = {}
        self._joining = threading.Lock()

    def user(self, header: str | None, waiting: AbstractContextManager[None] | None = None) -> User:
        """Raises Unauthorized without saying what was wrong, TooManyChecks at once instead of queueing.

        ``waiting`` is entered for a check, never for a proven password.
        """
        name, password = _credentials(header)
        digest = hmac.digest(self._key, f"{name}:{password}".encode(), hashlib.sha256)
        if hmac.compare_digest(self._proven.get(name, b""), digest):
            return self._users[name]
        known = self._users.get(name)
        # A name that nobody has costs the same time, so that time does not tell which names there are.
        judged = known or next(iter(self._users.values()))
        with waiting or nullcontext():
            right = self._shared_check(digest, judged.password_hash, password)
        if known is None or not right:
            raise Unauthorized("Unauthorized")
        self._proven[name] = digest
        return known

    def _shared_check(self, digest: bytes, password_hash: str, password: str) -> bool:
        with self._joining:
            running = self._checks.get(digest)
            if running is None and len(self._checks) == _MOST_CHECKS:
                raise TooManyChecks("too many passwords to check; try again")
            check = self._checks.setdefault(digest, Future())
        if running is None:
            try:
                with self._slow:
                    check.set_result(self._check(password_hash, password))
            except BaseException as error:
                check.set_exception(error)
                raise
            finally:
                with self._joining:
                    del self._checks[digest]
        return check.result()


def needs(role: str | None, *, owner: bool = False) -> Callable[[_View], _View]:
    """Marks a view with the role that may call it; None lets everybody in.

    ``owner``: where there are no users, only the server's own token opens it.
    """

    def mark(view: _View) -> _View:
        setattr(view, _ROLE_ATTRIBUTE, role)
        setattr(view, _OWNER_ATTRIBUTE, owner)
        return view

    return mark


def caller() -> str:
    """Who sent the request, for the change history."""
    return str(g.get("caller", _ANYBODY))


def is_known() -> bool:
    """Whether the request brought credentials that are right."""
    return "caller" in g


def install(app: Flask, users: Mapping[str, User], check: Check = check_password_hash, *, token: str = "") -> None:
    """Asks for credentials before every view, and before saying that there is none.

    Without users only for the owner's views. ``token`` is what the owner's own command line sends; it opens all.
    """
    authenticator = Authenticator(users, check)

    def admit() -> Response | None:
        view = current_app.view_functions.get(request.endpoint or "")
        role, owner = getattr(view, _ROLE_ATTRIBUTE, "read"), getattr(view, _OWNER_ATTRIBUTE, False)
        if role is None:
            return None
        if _is_token(request.headers.get("Authorization"), token):
            g.caller = _claimed_name()
            return None
        if users:
            return _refusal(authenticator, role)
        return json_response(status_body(401, "Unauthorized"), 401, {"WWW-Authenticate": "Bearer"}) if owner else None

    app.before_request(admit)


def _refusal(authenticator: Authenticator, role: str) -> Response | None:
    """Answered here: the dialects shape their own errors, but not these."""
    try:
        user = authenticator.user(request.headers.get("Authorization"), without_slot(request.environ))
    except Unauthorized as error:
        return json_response(status_body(401, error.message), 401, _CHALLENGE)
    except TooManyChecks as error:
        return json_response(status_body(429, error.message), 429, {"Retry-After": str(_RETRY_S)})
    if ROLES.index(user.role) < ROLES.index(role):
        return json_response(status_body(403, "Forbidden"), 403)
    g.caller = user.name
    return None


def _is_token(header: str | None, token: str) -> bool:
    scheme, _, sent = (header or "").partition(" ")
    return bool(token) and scheme.lower() == "bearer" and hmac.compare_digest(sent.encode(), token.encode())


def _claimed_name() -> str:
    """Whoever reads the token's file is the user of the server or root, and may say on whose behalf."""
    name = unquote(request.headers.get(BY_HEADER, ""))
    return f"cli:{name}" if name.isprintable() and 0 < len(name) <= _LONGEST_NAME else _NAMELESS


def _credentials(header: str | None) -> tuple[str, str]:
    scheme, _, encoded = (header or "").partition(" ")
    try:
        # The SDKs send UTF-8 and allow ':' in passwords.
        name, colon, password = b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError as error:
        raise Unauthorized("Unauthorized") from error
    if scheme.lower() != "basic" or not colon:
        raise Unauthorized("Unauthorized")
    return name, password
