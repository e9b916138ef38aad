"""Commands that change a table whose rows stay: another schema, the generations that came of it, the way back."""

from __future__ import annotations

from pathlib import Path

import click

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("change")
@click.argument("name", metavar="TABLE")
@click.argument("schema_file", metavar="SCHEMA", type=_FILE)
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A table setting, too, e.g. text=plain.")
@click.option("--dry-run", is_flag=True, help="Print what would change, or why it cannot, and stop.")
def change(name: str, schema_file: Path, pairs: tuple[str, ...], dry_run: bool) -> None:
    """Give a table another schema: add or remove fields and indexes, widen numbers, keep the rows.

    SCHEMA is the whole new schema, as for `table create`. All rows with their vectors are copied into a new generation
    beside the old one, which then takes its place. Searches never stop; writes wait until it is done, or are told to
    come again. Values of fields that the new schema lacks are left behind; fields that it adds are empty.

    What copying cannot do is refused with every reason: another primary key, type, dimension, model or picture field.
    The old generation stays for `table rollback` (HAVENGATE_ENGINE__KEEP_GENERATIONS).

    Example: havengate table change shoes shoes-2.json --dry-run
    """
    from tqdm import tqdm

    from havengate.cli.common import open_folder, printable
    from schemas.vendor import read_schema

    vendor = read_schema(schema_file.read_bytes())
    with open_folder() as services:
        settings = services.engine.table(name).settings.with_pairs(pairs)
        spec, sentences = services.tables.changed(name, vendor, settings)
        for sentence in sentences or ("no field and no index changes; rows are copied as they are",):
            click.echo(printable(sentence))
        if dry_run:
            return
        with tqdm(unit="rows", desc=name) as bar:

            def progress(done: int, of: int) -> None:
                bar.total = of
                bar.update(done - bar.n)

            made = services.tables.change(spec, progress)
    click.echo(f"table {name} is generation {made.name} with {made.rows} rows")


@click.command("generations")
@click.argument("name", metavar="TABLE")
def generations(name: str) -> None:
    """List a table's generations, the oldest first, and say which one is in use.

    Each `table change` makes a generation; older ones are kept for `table rollback`.

    Example: havengate table generations shoes
    """
    from havengate.cli.common import open_folder

    with open_folder() as services:
        for each in services.engine.generations(name):
            click.echo(f"{each.name}\t{each.rows} rows" + ("\tin use" if each.current else ""))


@click.command("rollback")
@click.argument("name", metavar="TABLE")
@click.argument("generation", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
def rollback(name: str, generation: str | None, yes: bool) -> None:
    """Go back to the generation before the current one, or to GENERATION.

    Rows written since the table was changed are not in the older generation: they stay in the one that is left, which
    is kept, and come back when you return to it by its name.

    Example: havengate table rollback shoes g1 --yes
    """
    from havengate.cli.common import open_folder

    with open_folder() as services:
        generation = generation or services.tables.previous(name)
        if not yes:
            click.confirm(
                f"use generation {generation} of table {name}? Rows written since it was replaced are not in it",
                abort=True,
            )
        services.tables.rollback(name, generation)
    click.echo(f"table {name} is generation {generation}")
