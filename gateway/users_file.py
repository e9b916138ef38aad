"""The file of users (HAVENGATE_AUTH__FILE): read and judged whole, rewritten whole by `havengate user`.

{"users": [{"name": "alice", "password_hash": "scrypt:…", "role": "none",
"tables": {"shoes": "write"}, "rate_per_s": 5}]}
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from engines.checks import is_table_name
from gateway.users import HASH, Role, User, is_user_name
from havengate.errors import SettingsError

_MOST_BYTES = 16 << 20
_TOO_OPEN = stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH


def _named(name: str) -> str:
    if not is_user_name(name):
        raise ValueError("a name is printable, without ':', ',' and blanks around it, 64 characters at most")
    return name


def _table(name: str) -> str:
    if not is_table_name(name):
        raise ValueError("this is no name of a table")
    return name


def _hash(text: str) -> str:
    if not HASH.fullmatch(text):
        raise ValueError("this is no hash as `havengate user add` makes it")
    return text


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, AfterValidator(_named)]
    password_hash: Annotated[str, AfterValidator(_hash)] = Field(repr=False)
    role: Role = "none"
    tables: dict[Annotated[str, AfterValidator(_table)], Literal["read", "write"]] = {}
    rate_per_s: float | None = Field(None, ge=0, allow_inf_nan=False)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    users: list[_Entry]


def read_users(path: Path) -> dict[str, User]:
    """Users by name. Raises SettingsError naming the file, the user and the key, never a hash."""
    try:
        said = json.loads(_text(path), object_pairs_hook=_once)
        entries = _File.model_validate(said).users
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from error
    except ValidationError as error:
        raise SettingsError(f"{path}: {_what_is_wrong(error, said)}") from None
    except RecursionError as error:
        raise SettingsError(f"{path}: this is nested too deeply") from error
    except ValueError as error:
        raise SettingsError(f"{path} is not JSON: {error}") from None
    twice = [name for name, count in Counter(entry.name for entry in entries).items() if count > 1]
    if twice:
        raise SettingsError(f"{path}: user {twice[0]!r} stands twice")
    return {
        entry.name: User(entry.name, entry.role, entry.password_hash, dict(entry.tables), entry.rate_per_s)
        for entry in entries
    }


def exposure(path: Path) -> str:
    """What is wrong with who may read or write the file; empty if nothing is."""
    with suppress(OSError):
        if path.stat().st_mode & _TOO_OPEN:
            return f"{path} can be read or written by others: chmod 600 {path}"
    return ""


@contextmanager
def changing_users(path: Path) -> Iterator[dict[str, User]]:
    """The users, to be changed in place; on leaving they are written, whole or not at all, for the owner's eyes.

    Who comes at the same time waits. A file that is not there yet has no users. Raises as ``read_users``.
    """
    # What a link points at is replaced, not the link.
    path = Path(os.path.realpath(path))
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        users = read_users(path) if path.exists() else {}
        yield users
        _write(path, users)
        os.fsync(folder)
    finally:
        os.close(folder)


def _text(path: Path) -> str:
    # A pipe that nobody writes to would be waited for.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise SettingsError(f"{path} is not a file")
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise SettingsError(f"{path} is larger than {_MOST_BYTES} bytes")
    return data.decode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values of one key JSON readers take either; rights must not hang on that."""
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError(f"an object has {_first_twice(pairs)!r} twice")
    return named


def _first_twice(pairs: list[tuple[str, Any]]) -> str:
    return Counter(key for key, _ in pairs).most_common(1)[0][0]


def _what_is_wrong(error: ValidationError, said: Any) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    place = [part for part in first["loc"] if part != "[key]"]
    message = first["msg"].removeprefix("Value error, ")
    match place:
        case ["users", int(number), *keys]:
            entry = said["users"][number]
            name = entry.get("name") if isinstance(entry, dict) else None
            who = f"user {name!r}" if isinstance(name, str) and is_user_name(name) else f"user number {number + 1}"
            return ": ".join([who, *map(str, keys), message])
        case _:
            return ": ".join([*map(str, place), message])


def _write(path: Path, users: Mapping[str, User]) -> None:
    text = json.dumps({"users": [_entry(user) for user in users.values()]}, ensure_ascii=False, indent=2) + "\n"
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    written = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            with suppress(FileNotFoundError, PermissionError):
                # Root may keep the file of the server's user.
                former = path.stat()
                os.fchown(file.fileno(), former.st_uid, former.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        read_users(written)
        written.replace(path)
    finally:
        written.unlink(missing_ok=True)


def _entry(user: User) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": user.name, "password_hash": user.password_hash, "role": user.role}
    if user.tables:
        entry["tables"] = dict(user.tables)
    return entry if user.rate_per_s is None else entry | {"rate_per_s": user.rate_per_s}
