"""Commands about what is stored: tables, schemas, rows."""

from __future__ import annotations

import json
from pathlib import Path

import click

from havengate.errors import UnknownTable

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def table() -> None:
    """Create, list, show, change and drop tables.

    Example: havengate table create shoes --schema shoes.json
    """


@table.command("create")
@click.argument("name")
@click.option("--schema", "schema_file", type=_FILE, required=True, help="The vendor's table schema, JSON.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A table setting, e.g. text=plain.")
def create(name: str, schema_file: Path, pairs: tuple[str, ...]) -> None:
    """Create an empty table from the vendor's schema JSON.

    Example: havengate table create shoes --schema shoes.json --set text=plain
    """
    from havengate.cli.common import open_administration
    from havengate.cli.ingest import absolute_pairs
    from schemas.vendor import read_schema

    vendor = read_schema(schema_file.read_bytes())
    with open_administration() as administration:
        made = administration.create_table(name, vendor, absolute_pairs(pairs))
    click.echo(f"table {name}: key {made['key']}, vector indexes {', '.join(made['vector_indexes'])}")


@table.command("list")
def list_tables() -> None:
    """List the tables with their rows and vectors; exit code 1 when one cannot be used.

    Example: havengate table list
    """
    from havengate.cli.common import open_administration

    with open_administration() as administration:
        tables = administration.tables()
    for each in tables:
        name = each["table"]
        if "error" in each:
            click.echo(f"{name}\tcannot be used: {each['error']}")
            continue
        vectors = ", ".join(f"{count} in {index}" for index, count in each["vectors"].items())
        click.echo(f"{name}\t{each['rows']} rows\tvectors: {vectors or 'none'}\t{each['bytes'] / 1e6:.1f} MB")
    if any("error" in each for each in tables):
        raise click.exceptions.Exit(1)


@table.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Print a table's schema (secrets masked), settings, fingerprints and counts as JSON.

    Example: havengate table show general
    """
    from havengate.cli.common import open_administration

    with open_administration() as administration:
        shown = administration.table(name)
    click.echo(json.dumps(shown, ensure_ascii=False, indent=2))


@table.command("set")
@click.argument("name")
@click.argument("pairs", nargs=-1, required=True, metavar="KEY=VALUE...")
def set_settings(name: str, pairs: tuple[str, ...]) -> None:
    """Change settings of a table.

    Example: havengate table set general text=plain strict=true
    """
    from havengate.cli.common import open_administration
    from havengate.cli.ingest import absolute_pairs

    with open_administration() as administration:
        settings = administration.set_table(name, absolute_pairs(pairs))
    click.echo(" ".join(f"{key}={value}" for key, value in settings.items()))


@table.command("drop")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(name: str, yes: bool) -> None:
    """Delete a table with its rows and pictures; its jobs are cancelled.

    Example: havengate table drop shoes --yes
    """
    from havengate.cli.common import open_administration

    with open_administration() as administration:
        # A table that others changed cannot be used, but it can be dropped.
        if name not in {each["table"] for each in administration.tables()}:
            raise UnknownTable(f"no table {name!r}")
        if not yes:
            click.confirm(f"delete table {name} with all its rows and pictures?", abort=True)
        gone = administration.drop_table(name)
    for number in gone["cancelled"]:
        click.echo(f"job {number} is cancelled")
    click.echo(f"table {name} is gone")


@click.group()
def schema() -> None:
    """Judge table schemas before they are used.

    Example: havengate schema check shoes.json
    """


@schema.command("check")
@click.argument("file", type=_FILE)
def check(file: Path) -> None:
    """Print what is wrong with a schema: errors (exit code 1) and warnings.

    Example: havengate schema check shoes.json
    """
    from havengate.cli.common import printable
    from schemas.rules import check as findings_of
    from schemas.vendor import read_schema

    findings = findings_of(read_schema(file.read_bytes()))
    for finding in findings:
        click.echo(printable(f"{finding.level}: {finding.where}: {finding.message} [{finding.rule}]"))
    errors = sum(finding.level == "error" for finding in findings)
    click.echo(f"{errors} errors, {len(findings) - errors} warnings")
    if errors:
        raise click.exceptions.Exit(1)
