"""Commands that put a table into a file, and take it out again."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.administration import Administration

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("backup")
@click.argument("name", metavar="TABLE")
@click.argument("file", type=_FILE)
def backup(name: str, file: Path) -> None:
    """Write a table with its rows, vectors, pictures and settings to FILE, a tar with checksums, of one moment.

    The table is searched and written meanwhile. Secrets of its schema are not in the file.

    Example: havengate table backup shoes shoes.tar
    """
    from havengate.cli.common import open_administration, printable

    with open_administration() as desk, _progress(desk, name) as shown:
        made = desk.backup(name, file.absolute(), **shown)
    lost = f", {made['lost_pictures']} rows have lost their picture" if made["lost_pictures"] else ""
    size = f"{made['bytes'] / 1e6:.1f} MB"
    click.echo(printable(f"{file}: {made['rows']} rows and {made['blobs']} pictures of table {name}, {size}{lost}"))


@click.command("restore")
@click.argument("file", type=_FILE)
@click.option("--as", "name", metavar="TABLE", help="Another name than the table had.")
def restore(file: Path, name: str | None) -> None:
    """Make the table of a backup again, all of it or nothing; every checksum is verified first.

    Example: havengate table restore shoes.tar --as shoes_again
    """
    from havengate.cli.common import open_administration

    with open_administration() as desk, _progress(desk, name or file.name) as shown:
        made = desk.restore(file.absolute(), name, **shown)
    click.echo(f"table {made['table']}: {made['rows']} rows and {made['blobs']} pictures")
    if made["secrets"]:
        places = ", ".join(made["secrets"])
        click.echo(f"secrets are in no backup; `table rebuild --schema` sets them again: {places}", err=True)


@contextmanager
def _progress(desk: Administration, name: str) -> Iterator[dict[str, Any]]:
    """A bar over what this process does; nobody says how far a server is."""
    from tqdm import tqdm

    from ingest.table_administration import LocalAdministration

    if not isinstance(desk, LocalAdministration):
        yield {}
        return
    with tqdm(unit=" rows", desc=name, disable=None) as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        yield {"progress": progress}
