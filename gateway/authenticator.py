"""Who sent an Authorization header, in a time that does not tell which names there are."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from werkzeug.security import check_password_hash

from havengate.errors import AccessError, Unauthorized

if TYPE_CHECKING:
    from gateway.users import User

_MOST_CHECKS = 2
_NOBODYS_HASH = f"scrypt:32768:8:1${'0' * 16}${'0' * 128}"
"""What a password is held against where there is no user at all; it costs what `havengate user` makes."""
Check = Callable[[str, str], bool]
"""Whether a hash is that of a password."""


class TooManyChecks(AccessError):
    """Others' passwords are being checked; nothing was said about this one."""

    http_status = 429
    retry_after_s = 1


class Authenticator:
    """Says who sent an Authorization header. May be called from several threads.

    A check costs scrypt's tens of milliseconds, so one digest a user, under a key that dies with the process,
    remembers what was proven. A flood of wrong passwords gets one core and no queue; callers that come at once with
    the same credentials share one check.
    """

    def __init__(self, users: Callable[[], Mapping[str, User]], check: Check = check_password_hash) -> None:
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
        name, password = credentials(header)
        users = self._users()
        known = users.get(name)
        # A name that nobody has costs the same time, so that time does not tell which names there are.
        judged = known or next(iter(users.values()), None)
        password_hash = judged.password_hash if judged else _NOBODYS_HASH
        # The hash is part of it: what was proven to a user's former password, or to a removed user, is worth nothing.
        digest = hmac.digest(self._key, f"{password_hash}\0{name}:{password}".encode(), hashlib.sha256)
        if hmac.compare_digest(self._proven.get(name, b""), digest) and known is not None:
            return known
        with waiting or nullcontext():
            right = self._shared_check(digest, password_hash, password)
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


def credentials(header: str | None) -> tuple[str, str]:
    """Name and password of a Basic header. Raises Unauthorized."""
    scheme, _, encoded = (header or "").partition(" ")
    try:
        # The SDKs send UTF-8 and allow ':' in passwords.
        name, colon, password = b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError as error:
        raise Unauthorized("Unauthorized") from error
    if scheme.lower() != "basic" or not colon:
        raise Unauthorized("Unauthorized")
    return name, password
