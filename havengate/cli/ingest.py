"""`havengate ingest`: a source into a table, as a job."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("name", metavar="TABLE")
@click.argument("source")
@click.option("--max-rejects", type=click.IntRange(min=0), help="Stop when more rows than this are rejected.")
@click.option("--restart", is_flag=True, help="Read the source from its beginning, whatever was read before.")
def ingest(name: str, source: str, max_rejects: int | None, restart: bool) -> None:
    """Read a source into a table: a folder of pictures (files by suffix), a .jsonl, .csv or .parquet file of rows,
    oss:// or s3:// (docs/ingest.md), maxcompute://, table:NAME.

    Bad rows are reported on stderr, kept with the job, and the rest goes in. Whatever stops it (a signal, a kill, a
    service that is away), the same command goes on where it was. Where a server holds the data folder, the job runs
    there and this command watches it. Exit code: 0 all in, 1 some rejected, 2 not run.

    Example: havengate ingest shoes ./photos
    """
    from havengate.cli.common import open_administration
    from havengate.cli.waiting import finished, tell

    with open_administration() as desk:
        job = finished(desk, desk.ingest(name, absolute(source), max_rejects=max_rejects, restart=restart))
    tell(job)


def absolute(source: str) -> str:
    """Text for the job that means the same in every folder."""
    # Nothing at all is no path either, least of all that of the working folder.
    is_path = source and "://" not in source and not source.startswith("table:")
    return str(Path(source).absolute()) if is_path else source


def absolute_pairs(pairs: tuple[str, ...]) -> tuple[str, ...]:
    """Settings, KEY=VALUE, of which a source means the same in every folder."""
    split = [pair.partition("=") for pair in pairs]
    return tuple(
        f"{key}={absolute(value)}" if key == "source" and value else f"{key}{is_}{value}" for key, is_, value in split
    )
