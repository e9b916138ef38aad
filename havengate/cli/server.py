"""Commands about running: serve, demo, settings, doctor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from havengate.errors import SettingsError, printable

if TYPE_CHECKING:
    from havengate.doctor import Finding


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
def serve(host: str, port: int) -> None:
    """Serve the tables in HAVENGATE_DATA_DIR.

    An address other than loopback needs users: see `havengate user add`.

    Example: havengate serve --port 8000
    """
    from gateway.server import serve as run
    from havengate.preflight import checked_settings

    run(checked_settings(), host, port)


@click.command("embed-server")
@click.option("--model", "models", required=True, multiple=True, help="Model to serve; may be given several times.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8100,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
def embed_server(models: tuple[str, ...], host: str, port: int) -> None:
    """Serve models to gateways whose HAVENGATE_EMBEDDING__URL names this server.

    An address other than loopback needs users: see `havengate user add`.

    Example: havengate embed-server --model clip --port 8100
    """
    from gateway.embed_server import serve_models
    from havengate.preflight import checked_settings

    serve_models(checked_settings(), tuple(dict.fromkeys(models)), host, port)


@click.command()
@click.option("--tables-only", is_flag=True, help="Build the demo's tables and stop.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the contact sheet [the data folder]."
)
def demo(tables_only: bool, out: Path | None) -> None:
    """Build two tables from the bundled photos, serve them, and search them with the vendor's SDK.

    Example: havengate demo
    """
    from havengate.demo.run import build_tables, run_demo
    from havengate.settings import load_settings

    settings = load_settings()
    if tables_only:
        build_tables(settings)
    else:
        run_demo(settings, out or settings.data_dir / "demo")


@click.command()
def config() -> None:
    """Print all settings with their environment variables; secrets are masked.

    What is wrong is printed with its default, and told at the end.

    Example: HAVENGATE_PUSH__MAX_PICTURES=16 havengate config
    """
    from havengate.settings import describe_settings, read_settings

    settings, problems = read_settings()
    for variable, value, description in describe_settings(settings):
        click.echo(f"{variable}={value}")
        click.echo(f"    {description}")
    if problems:
        raise SettingsError("\n".join(problems))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON list of {what, ok, detail}.")
def doctor(as_json: bool) -> None:
    """Check what havengate needs on this machine; exit code 1 when something is missing or needs somebody.

    While a server holds the data folder it is asked for what only it can see.

    Example: havengate doctor
    """
    from dataclasses import asdict

    from havengate.cli.common import served_administration
    from havengate.doctor import Finding, examine
    from havengate.settings import read_settings

    settings, problems = read_settings()
    findings = [Finding("settings", False, problem) for problem in problems]
    if not as_json:
        _show(findings)
    for finding in examine(settings, served_administration(settings)):
        findings.append(finding)
        if not as_json:
            _show([finding])
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    if not all(finding.ok for finding in findings):
        raise click.exceptions.Exit(1)


def _show(findings: list[Finding]) -> None:
    for finding in findings:
        click.echo(printable(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.what}: {finding.detail}"))
