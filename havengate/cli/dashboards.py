"""Commands that show the tables in OpenSearch Dashboards."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from havengate.settings import Settings

_ANYWHERE = "http://127.0.0.1:8000"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NOT_ALL = 1
_MOST_DAYS = 36_500
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
Command = TypeVar("Command", bound=Callable[..., Any])


@click.group()
def dashboards() -> None:
    """Show the tables, with their pictures, in OpenSearch Dashboards.

    Example: havengate dashboards export --gateway https://pictures.example --output objects.ndjson
    """


def _what(command: Command) -> Command:
    """The options that say what is exported."""
    for option in (
        click.option("--slow/--no-slow", default=None, help="With slow searches [HAVENGATE_LOG__SLOW_INDEX]."),
        click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this table; may be repeated."),
        click.option(
            "--days",
            type=click.IntRange(1, _MOST_DAYS),
            default=365,
            show_default=True,
            help="How long the pictures' tokens are valid.",
        ),
        click.option(
            "--gateway", metavar="URL", help=f"Where browsers reach the gateway [the running server's, or {_ANYWHERE}]."
        ),
    ):
        command = option(command)
    return command


@dashboards.command("export")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write to FILE.")
@_what
def export(output: Path | None, gateway: str | None, days: int, tables: tuple[str, ...], slow: bool | None) -> None:
    """Print the saved objects for OpenSearch Dashboards, one JSON object a line, as its own export does.

    They hold a token for the pictures of each table, which lets whoever has it see them until it ends.
    `images revoke TABLE` ends it earlier.

    Example: havengate dashboards export --gateway https://pictures.example --output objects.ndjson
    """
    lines = _made(gateway, days, tables, slow)
    if output is None:
        click.echo(lines, nl=False)
    else:
        _write(output, lines)


@dashboards.command("import")
@click.argument("url")
@click.option("--file", "file", type=_FILE, metavar="FILE", help="Import what `dashboards export` wrote to FILE.")
@click.option("--user", default="", metavar="NAME", help="User of Dashboards; the password is asked for, or piped.")
@click.option("--tenant", default="", metavar="NAME", help="Tenant of the security plugin, e.g. global.")
@click.option("--ca", type=_FILE, metavar="FILE", help="Certificates to trust instead of the system's.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(0.1, 3600), default=60.0, show_default=True)
@_what
def import_objects(
    *,
    url: str,
    file: Path | None,
    user: str,
    tenant: str,
    ca: Path | None,
    timeout_s: float,
    gateway: str | None,
    days: int,
    tables: tuple[str, ...],
    slow: bool | None,
) -> None:
    """Import the saved objects into the OpenSearch Dashboards at URL, in place of those that are there.

    Exit code: 0 all are there, 1 some are not, 2 not done.

    Example: havengate dashboards import https://dashboards.example:5601 --user admin --ca ca.pem < password
    """
    from havengate.cli.common import printable
    from havengate.cli.passwords import asked_password
    from havengate.dashboards.importing import Server, check_server, load

    place = check_server(Server(url, user, tenant=tenant, ca=ca))
    if file is not None:
        _require_none_of("gateway", "days", "tables", "slow")
    if user and place.scheme == "http" and place.hostname not in _LOOPBACK:
        click.echo(printable(f"the password goes to {url} unencrypted"), err=True)
    lines = _made(gateway, days, tables, slow) if file is None else _read(file)
    password = asked_password(f"password of {user}") if user else ""
    imported = load(Server(url, user, password, tenant, ca, timeout_s), lines)
    for failure in imported.failures:
        click.echo(printable(f"not imported: {failure}"), err=True)
    click.echo(printable(f"{imported.count} objects imported into {url}"))
    if imported.failures:
        raise click.exceptions.Exit(_NOT_ALL)


def _require_none_of(*names: str) -> None:
    """Raises RequestError for an option that would have no effect, because --file is given."""
    from havengate.errors import RequestError

    context = click.get_current_context()
    for option in context.command.params:
        source = option.name in names and context.get_parameter_source(str(option.name))
        if source is click.core.ParameterSource.COMMANDLINE:
            raise RequestError(f"--file is imported as it is: {option.opts[0]} belongs to what is made now")


def _made(gateway: str | None, days: int, tables: tuple[str, ...], slow: bool | None) -> str:
    """The lines; what people should know of them goes to stderr."""
    from havengate.cli.common import open_administration, printable
    from havengate.cli.moments import moment
    from havengate.dashboards.export import Wanted
    from havengate.dashboards.export import export as made_of
    from havengate.dashboards.objects import ndjson
    from havengate.settings import load_settings

    settings = load_settings()
    wanted = Wanted(gateway or _server(settings), days, tables, settings.log.slow_index if slow is None else slow)
    with open_administration(prefer_server=True) as desk:
        made = made_of(desk, settings.engine, wanted)
    for reason in made.skipped:
        click.echo(printable(f"left out: {reason}"), err=True)
    if made.expires is not None:
        click.echo(f"tokens for the pictures are valid until {moment(made.expires)}", err=True)
    if gateway is None and _is_loopback(wanted.gateway):
        click.echo(f"pictures come from {wanted.gateway}: other machines' browsers need --gateway", err=True)
    return ndjson(made.objects)


def _server(settings: Settings) -> str:
    from havengate.cli.remote import running_server

    server = running_server(settings.data_dir)
    return server.url if server else _ANYWHERE


def _is_loopback(url: str) -> bool:
    from urllib.parse import urlsplit

    return urlsplit(url).hostname in _LOOPBACK


def _read(file: Path) -> str:
    from havengate.errors import RequestError

    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(f"--file {file}: not UTF-8") from error


def _write(file: Path, lines: str) -> None:
    """For its owner alone: it holds tokens."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        if file.is_file():
            os.fchmod(out.fileno(), 0o600)
        out.write(lines)
