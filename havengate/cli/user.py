"""Commands about users: those of a file, and lines for HAVENGATE_AUTH__USERS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from havengate.errors import RequestError

if TYPE_CHECKING:
    from gateway.users import Role, User
    from havengate.setting_groups import AuthSettings

_FILE = click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of users [the one in HAVENGATE_AUTH__FILE].",
)


@click.group()
def user() -> None:
    """Make users, and say what they may do.

    Running servers know of a change of their file a second later.

    Example: havengate user add alice --table shoes=write --file users.json
    """


@user.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["none", "read", "write", "admin"]),
    help="What is allowed in all tables [read; with --table none].",
)
@click.option("--table", "grants", multiple=True, metavar="TABLE=read|write", help="What is allowed in one table.")
@click.option("--rate", type=click.FloatRange(min=0), help="Requests a second [HAVENGATE_AUTH__RATE_PER_S]; 0: any.")
@_FILE
def add(name: str, role: str | None, grants: tuple[str, ...], rate: float | None, file: Path | None) -> None:
    """Add a user to the file; the password is asked for, or read from a pipe.

    Example: havengate user add alice --role read --table shoes=write --rate 5
    """
    from gateway.users import User, hash_password, is_user_name, parse_users
    from gateway.users_file import changing_users
    from havengate.cli.passwords import asked_password

    settings = _settings()
    path = _path(settings, file)
    if not is_user_name(name):
        raise RequestError(f"a user's name is printable, without ':', ',' and blanks around it, not {name!r}")
    if name in parse_users(settings.users):
        raise RequestError(f"user {name!r} stands in HAVENGATE_AUTH__USERS already")
    made = User(
        name,
        role or ("none" if grants else "read"),  # type: ignore[arg-type]  # click has looked
        hash_password(asked_password(confirm=True)),
        dict(map(_grant, grants)),
        rate,
    )
    with changing_users(path) as users:
        if name in users:
            raise RequestError(f"{path} has a user {name!r} already: remove it first, or give it another password")
        users[name] = made
    click.echo(f"{path}: added {_shown(made)}")


@user.command()
@click.argument("name")
@_FILE
def remove(name: str, file: Path | None) -> None:
    """Remove a user from the file, who has no access from then on.

    Example: havengate user remove alice
    """
    from gateway.users_file import changing_users

    path = _path(_settings(), file)
    with changing_users(path) as users:
        _known(users, name, path)
        del users[name]
    click.echo(f"{path}: removed {name}")


@user.command()
@click.argument("name")
@_FILE
def password(name: str, file: Path | None) -> None:
    """Give a user of the file another password, which is asked for, or read from a pipe.

    Example: havengate user password alice
    """
    from dataclasses import replace

    from gateway.users import hash_password
    from gateway.users_file import changing_users, read_users
    from havengate.cli.passwords import asked_password

    path = _path(_settings(), file)
    _known(read_users(path), name, path)
    made = hash_password(asked_password(confirm=True))
    with changing_users(path) as users:
        users[name] = replace(_known(users, name, path), password_hash=made)
    click.echo(f"{path}: {name} has another password")


@user.command("list")
@_FILE
def list_users(file: Path | None) -> None:
    """Print the users of HAVENGATE_AUTH__USERS and of the file, and what they may do.

    Example: havengate user list
    """
    from gateway.directory import load_users

    settings = _settings()
    for each in load_users(settings.model_copy(update={"file": file or settings.file})).values():
        click.echo(_shown(each))


@user.command("hash")
@click.argument("name")
@click.option("--role", type=click.Choice(["read", "write", "admin"]), default="read", show_default=True)
def hash_user(name: str, role: str) -> None:
    """Print NAME:ROLE:HASH for HAVENGATE_AUTH__USERS; the password is asked for, or read from a pipe.

    Example: havengate user hash alice --role write
    """
    from gateway.users import hash_password, is_user_name, parse_users
    from havengate.cli.passwords import asked_password

    if not is_user_name(name):
        raise RequestError(f"a user's name is printable, without ':', ',' and blanks around it, not {name!r}")
    line = f"{name}:{role}:{hash_password(asked_password(confirm=True))}"
    parse_users(line)
    click.echo(line)


def _settings() -> AuthSettings:
    from havengate.settings import load_settings

    return load_settings().auth


def _path(settings: AuthSettings, file: Path | None) -> Path:
    path = file or settings.file
    if path is None:
        raise RequestError("which file? Name it with --file, or set HAVENGATE_AUTH__FILE")
    return path


def _grant(text: str) -> tuple[str, Role]:
    from engines.checks import is_table_name

    table, _, role = text.partition("=")
    granted: dict[str, Role] = {"read": "read", "write": "write"}
    if not is_table_name(table) or role not in granted:
        raise RequestError(f"--table takes TABLE=read or TABLE=write, not {text!r}")
    return table, granted[role]


def _known(users: dict[str, User], name: str, path: Path) -> User:
    if name not in users:
        raise RequestError(f"{path} has no user {name!r}")
    return users[name]


def _shown(each: User) -> str:
    rights = [f"{each.role} in all tables"] if each.role != "none" or not each.tables else []
    rights += [f"{role} in {table}" for table, role in sorted(each.tables.items())]
    rate = (
        [] if each.rate_per_s is None else [f"{each.rate_per_s:g} requests a second" if each.rate_per_s else "any rate"]
    )
    return f"{each.name}: {', '.join(rights + rate)}"
