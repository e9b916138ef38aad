"""Commands that build a table again beside itself, the generations that come of it, the way back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ingest.rebuild.request import Rebuild

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OF_TABLE = "the table's"
_ENDED = ("cancelled", "done")


@click.command("rebuild")
@click.argument("name", metavar="TABLE")
@click.option(
    "--schema", "schema_file", type=_FILE, metavar="FILE", help="The whole new schema, as for `table create`."
)
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A table setting, too, e.g. text=plain.")
@click.option(
    "--from-source",
    "source",
    is_flag=False,
    flag_value=_OF_TABLE,
    default="",
    metavar="[SOURCE]",
    help="Read the rows from SOURCE, or from the one that the table's settings name, instead of copying them.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be done, or why it cannot, and stop.")
@click.option("--force", is_flag=True, help="Also where nothing differs, so that new shards apply, for one.")
@click.option(
    "--max-rejects", type=click.IntRange(0), default=0, show_default=True, help="How many rows may lack something."
)
@click.option("--min-overlap", type=click.FloatRange(0, 1), help="The least overlap@10 of old and new answers.")
def rebuild(
    *,
    name: str,
    schema_file: Path | None,
    pairs: tuple[str, ...],
    source: str,
    dry_run: bool,
    force: bool,
    max_rejects: int,
    min_overlap: float | None,
) -> None:
    """Build a table again beside itself, with another schema, another model or new rows, and swap.

    What differs decides: vectors are copied, or made again from the rows' pictures, or it is refused with every reason.
    Searches never stop and never see two models; writes go on, and are brought over before the swap. Whatever ends it,
    the same command goes on where it was. The former generation stays for `table rollback`
    (HAVENGATE_ENGINE__KEEP_GENERATIONS). Exit code: 0 done or nothing to do, 1 rows lack something, 2 not done.

    Example: havengate table rebuild shoes --schema shoes-2.json --dry-run
    """
    from havengate.cli.common import open_administration, printable
    from havengate.cli.waiting import finished, tell
    from havengate.errors import SchemaError
    from ingest.rebuild.compare import comparison_lines

    asked = _asked(schema_file, pairs, source, force=force, max_rejects=max_rejects, min_overlap=min_overlap)
    with open_administration() as desk:
        plan = desk.plan_rebuild(name, asked)
        if plan["refused"]:
            reasons = "\n".join(f"- {reason}" for reason in plan["refused"])
            raise SchemaError(f"table {name!r} cannot be rebuilt like this:\n{reasons}")
        for sentence in plan["sentences"]:
            click.echo(printable(sentence))
        begun = any(job["kind"] == "rebuild" and job["state"] not in _ENDED for job in desk.jobs(table=name))
        if plan["nothing"] and not (force or source or begun):
            click.echo("nothing to do")
            return
        if dry_run:
            return
        job = finished(desk, desk.rebuild(name, asked))
    for line in comparison_lines(job["report"]):
        click.echo(printable(line))
    tell(job)


@click.command("generations")
@click.argument("name", metavar="TABLE")
def generations(name: str) -> None:
    """List a table's generations, the oldest first, and say which one is in use.

    Each `table rebuild` makes a generation; older ones are kept for `table rollback`.

    Example: havengate table generations shoes
    """
    from havengate.cli.common import open_administration

    with open_administration() as desk:
        for each in desk.generations(name):
            state = "\tin use" if each["current"] else "\tis being built" if each["building"] else ""
            click.echo(f"{each['name']}\t{each['rows']} rows{state}")


@click.command("rollback")
@click.argument("name", metavar="TABLE")
@click.argument("generation", required=False)
@click.option("--strict", is_flag=True, help="Stay where it is when a row cannot come along whole.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rollback(name: str, generation: str | None, strict: bool, yes: bool) -> None:
    """Go back to the generation before the current one, or to GENERATION, with what was written since.

    Rows that were written or deleted since are so there, too; where the models differ, their pictures are embedded
    again. What cannot come along is told, and listed by `job show`. The generation that is left is kept. Exit code: 0
    done, 1 rows lack something, 2 not done.

    Example: havengate table rollback shoes --yes
    """
    from havengate.cli.common import open_administration
    from havengate.cli.waiting import finished, tell

    with open_administration() as desk:
        if not yes:
            click.confirm(f"take table {name} back to {_goal(generation)}?", abort=True)
        job = finished(desk, desk.rollback(name, generation, strict=strict))
    tell(job)


def _goal(generation: str | None) -> str:
    return "the generation before the current one" if generation is None else f"generation {generation}"


def _asked(
    schema_file: Path | None,
    pairs: tuple[str, ...],
    source: str,
    *,
    force: bool,
    max_rejects: int,
    min_overlap: float | None,
) -> Rebuild:
    from havengate.cli.ingest import absolute, absolute_pairs
    from ingest.rebuild.decide import Wanted
    from ingest.rebuild.request import FROM_TABLE, Rebuild
    from schemas.vendor import read_schema

    schema = None if schema_file is None else read_schema(schema_file.read_bytes()).to_json()
    text = FROM_TABLE if source == _OF_TABLE else source and absolute(source)
    return Rebuild(
        Wanted(schema, absolute_pairs(pairs), text), force=force, max_rejects=max_rejects, min_overlap=min_overlap
    )
