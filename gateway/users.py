"""Users: what they may do, and the list of them in HAVENGATE_AUTH__USERS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from werkzeug.security import generate_password_hash

from havengate.errors import SettingsError

Role = Literal["none", "read", "write", "admin"]
ROLES: tuple[Role, ...] = ("none", "read", "write", "admin")
GIVEN_ROLES = ROLES[1:]
HASH = re.compile(r"(scrypt(:\d+){3}|pbkdf2:\w+:\d+)\$[^$]+\$[0-9a-f]+")
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class User:
    """``role`` is for all tables, ``tables`` says what more is granted on some.

    rate_per_s  requests a second on average over ten seconds; 0: no limit, None: HAVENGATE_AUTH__RATE_PER_S
    """

    name: str
    role: Role
    password_hash: str = field(repr=False)
    tables: Mapping[str, Role] = field(default_factory=dict)
    rate_per_s: float | None = None

    @property
    def best_role(self) -> Role:
        """The most that the user may do anywhere."""
        return max((self.role, *self.tables.values()), key=ROLES.index)

    def role_on(self, table: str) -> Role:
        return max(self.role, self.tables.get(table, "none"), key=ROLES.index)


def covers(role: str, needed: str) -> bool:
    """Whether a role includes another."""
    return ROLES.index(role) >= ROLES.index(needed)


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
        if role not in GIVEN_ROLES:
            raise SettingsError(f"HAVENGATE_AUTH__USERS: user {name!r} needs one of the roles {', '.join(GIVEN_ROLES)}")
        if not HASH.fullmatch(password_hash):
            raise SettingsError(f"HAVENGATE_AUTH__USERS: user {name!r} has no hash as `havengate user hash` makes it")
        users[name] = User(name, role, password_hash)
    return users


def is_user_name(name: str) -> bool:
    """Whether a name fits a header, a log line and HAVENGATE_AUTH__USERS."""
    fits = 0 < len(name) <= _LONGEST_NAME and name == name.strip() and name.isprintable()
    return fits and not set(name) & set(":,")


def hash_password(password: str) -> str:
    """A salted scrypt hash."""
    return generate_password_hash(password, "scrypt")
