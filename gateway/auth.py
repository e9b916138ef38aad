"""Who may ask what: the callers of views, their roles for all tables, their grants on single ones.

Whoever may not is answered as HTTP does (401, 403, 429 with ``{"code", "message"}``) in every dialect:
gateway.application asks ``refusal`` before a dialect shapes an error.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

from flask import Flask, Response, current_app, g, request
from werkzeug.security import check_password_hash

from engines.contract import table_of
from gateway.authenticator import Authenticator, Check, credentials
from gateway.errors import json_response, status_body
from gateway.rate_limit import Buckets, TooManyRequests, network_of
from gateway.slots import without_slot
from gateway.users import User, covers
from havengate.errors import AccessError, Forbidden, Unauthorized, UnknownTable
from havengate.tables import ANY_TABLE

if TYPE_CHECKING:
    from engines.contract import TableSpec
    from gateway.directory import Directory
    from havengate.tables import Tables
    from havengate.types import Span

_ROLE_ATTRIBUTE = "havengate_role"
_OWNER_ATTRIBUTE = "havengate_owner"
_ALL_TABLES_ATTRIBUTE = "havengate_all_tables"
_GATE = "havengate.gate"
_ANYBODY = "anonymous"
_NOBODY = "unknown"
_NAMELESS = "token"
BY_HEADER = "X-Havengate-By"
_LONGEST_NAME = 64
_FORBIDDEN = "Forbidden"
_BASIC = 'Basic realm="havengate", charset="UTF-8"'
_View = TypeVar("_View", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Gate:
    """What an application asks about its callers.

    token    of the owner's own command line; it opens all, at any rate
    limited  is told of callers who are sent away for their rate
    """

    directory: Directory
    authenticator: Authenticator
    token: str
    limited: Callable[[str], None]
    buckets: Buckets = field(default_factory=Buckets)

    def admit(self, role: str, *, owner: bool, all_tables: bool) -> None:
        """Notes who asks. Raises Unauthorized, Forbidden, TooManyChecks, TooManyRequests."""
        header = request.headers.get("Authorization")
        if _is_token(header, self.token):
            g.caller = _claimed_name()
        elif self.directory.guarded:
            user = self.authenticator.user(header, without_slot(request.environ))
            g.user, g.caller = user, user.name
            self._count(user)
            if not covers(user.role if all_tables else user.best_role, role):
                raise Forbidden(_FORBIDDEN)
        elif owner:
            raise Unauthorized("Unauthorized")
        else:
            self._count(None)

    def _count(self, user: User | None) -> None:
        # Where there are no users, each address is one.
        key = f"user {user.name}" if user else f"from {network_of(request.remote_addr or '')}"
        try:
            self.buckets.take(key, self.directory.rate_per_s(user))
        except TooManyRequests:
            self.limited(caller())
            raise


def needs(role: str | None, *, owner: bool = False, all_tables: bool = False) -> Callable[[_View], _View]:
    """Marks a view with the role that may call it; None lets everybody in.

    A role that is granted on some table will do: which one is asked for is ``allow``'s to judge. ``all_tables``: only
    a role for all of them will do. ``owner``: where there are no users, only the server's own token opens it.
    """

    def mark(view: _View) -> _View:
        setattr(view, _ROLE_ATTRIBUTE, role)
        setattr(view, _OWNER_ATTRIBUTE, owner)
        setattr(view, _ALL_TABLES_ATTRIBUTE, all_tables)
        return view

    return mark


def admit(role: str) -> None:
    """What ``needs`` asks before a view, for one that lets callers in on other grounds, too. Raises as that does."""
    _gate().admit(role, owner=False, all_tables=False)


def allow(role: str, table: str) -> None:
    """Every dialect asks this as soon as it knows the table (or the address of a generation), before it says anything
    about it. Raises Forbidden, and Unauthorized for a caller whom nobody has admitted.
    """
    user = _user()
    if user is not None and not covers(user.role_on(table_of(table)), role):
        g.refused_table = table
        raise Forbidden(_FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Readable:
    """``Tables.resolve`` that raises Forbidden for a table that the caller may not read."""

    tables: Tables

    def __call__(self, cluster: str | None, span: Span | None = None) -> TableSpec:
        if cluster not in (None, ANY_TABLE) and not sees_all_tables():
            # Before it is looked for: what is wrong with a table tells that it is there.
            allow("read", str(cluster))
        return self.tables.resolve(cluster, span, partial(allow, "read"))


def sees_all_tables() -> bool:
    """Whether the caller may know which tables there are."""
    user = _user()
    return user is None or covers(user.role, "read")


def claimed_user() -> str:
    """Who sent the request, or a user whom it names with a wrong password; never a name that nobody has."""
    header = request.headers.get("Authorization")
    if is_known() or not header:
        return caller()
    try:
        name, _ = credentials(header)
    except Unauthorized:
        return _NOBODY
    return name if name in _gate().directory.users() else _NOBODY


def needed_role(view: object) -> str | None:
    """The role that ``needs`` marked a view with; of one without a mark, and of none, the least."""
    role: str | None = getattr(view, _ROLE_ATTRIBUTE, "read")
    return role


def caller() -> str:
    """Who sent the request, for the change history."""
    return str(g.get("caller", _ANYBODY))


def is_known() -> bool:
    """Whether the request brought credentials that are right."""
    return "caller" in g


def refusal(error: Exception) -> Response | None:
    """The answer to who may not do what he asked; None for all other errors.

    Whoever has no role for all tables is not told which names are none: that would tell which there are.
    """
    try:
        if isinstance(error, UnknownTable) and not sees_all_tables():
            raise Forbidden(_FORBIDDEN) from error
        if not isinstance(error, AccessError):
            return None
    except AccessError as instead:
        error = instead
    g.retry_after_s = error.retry_after_s
    status = error.http_status
    challenge = _BASIC if _gate().directory.guarded else "Bearer"
    headers = {"WWW-Authenticate": challenge} if isinstance(error, Unauthorized) else None
    return json_response(status_body(status, error.message), status, headers)


def install(
    app: Flask,
    directory: Directory,
    check: Check = check_password_hash,
    *,
    token: str = "",
    limited: Callable[[str], None] = lambda _: None,
) -> None:
    """Asks for credentials before every view, and before saying that there is none.

    Without users only for the owner's views.
    """
    app.extensions[_GATE] = Gate(directory, Authenticator(directory.users, check), token, limited)
    app.before_request(_admit_to_view)


def _admit_to_view() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    role = needed_role(view)
    if role is not None:
        owner, all_tables = getattr(view, _OWNER_ATTRIBUTE, False), getattr(view, _ALL_TABLES_ATTRIBUTE, False)
        _gate().admit(role, owner=owner, all_tables=all_tables)


def _gate() -> Gate:
    gate: Gate = current_app.extensions[_GATE]
    return gate


def _user() -> User | None:
    """None for who may do everything. Raises Unauthorized for a caller whom nobody has admitted."""
    user: User | None = g.get("user")
    if user is None and _gate().directory.guarded and not is_known():
        raise Unauthorized("Unauthorized")
    return user


def _is_token(header: str | None, token: str) -> bool:
    scheme, _, sent = (header or "").partition(" ")
    return bool(token) and scheme.lower() == "bearer" and hmac.compare_digest(sent.encode(), token.encode())


def _claimed_name() -> str:
    """Whoever reads the token's file is the user of the server or root, and may say on whose behalf."""
    name = unquote(request.headers.get(BY_HEADER, ""))
    return f"cli:{name}" if name.isprintable() and 0 < len(name) <= _LONGEST_NAME else _NAMELESS
