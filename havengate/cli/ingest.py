"""`havengate ingest`: a source into a table, as a job in the foreground."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from havengate.cli.common import printable
from havengate.errors import JobError

if TYPE_CHECKING:
    from ingest.jobs.model import Job
    from ingest.jobs.store import JobStore


@click.command()
@click.argument("name", metavar="TABLE")
@click.argument("source")
@click.option("--max-rejects", type=click.IntRange(min=0), help="Stop when more rows than this are rejected.")
@click.option("--restart", is_flag=True, help="Read the source from its beginning, whatever was read before.")
def ingest(name: str, source: str, max_rejects: int | None, restart: bool) -> None:
    """Read a source into a table: a folder of pictures (files by suffix), a .jsonl, .csv or .parquet file of rows,
    oss:// or s3:// (docs/ingest.md), maxcompute://, table:NAME.

    Bad rows are reported on stderr, kept with the job, and the rest goes in. Whatever stops it (a signal, a kill, a
    service that is away), the same command goes on where it was. Exit code: 0 all in, 1 some rejected, 2 not run.

    Example: havengate ingest shoes ./photos
    """
    from havengate.cli.common import open_folder, who
    from ingest.history_store import open_history
    from ingest.ingest_job import job_for
    from ingest.jobs.foreground import run_in_foreground
    from ingest.jobs.runner import run_job
    from ingest.jobs.store import JobStore

    with open_folder() as services:
        store, changes = JobStore(services.settings.data_dir), open_history(services.settings, services.engine)
        try:
            source = absolute(source)
            job = job_for(services, changes, store, name, source, by=who(), max_rejects=max_rejects, restart=restart)
            with _Screen(store, job) as screen:
                job = run_in_foreground(
                    lambda stop: run_job(services, changes, store, job.id, show=screen.show, stop=stop),
                    screen.wait,
                    store.now,
                )
        finally:
            changes.close()
            store.close()
    _tell(job)


def absolute(source: str) -> str:
    """Text for the job that means the same in every folder."""
    return source if "://" in source or source.startswith("table:") else str(Path(source).absolute())


def _tell(job: Job) -> None:
    if job.state != "done":
        reason = f": {job.message}" if job.message else ""
        begun = f" after {job.counts.read} rows" if job.counts.read else ""
        raise JobError(f"job {job.id} is {job.state}{begun}{reason}; the same command goes on where it stopped")
    click.echo(job.message)
    if left_out := job.report.get("left_out"):
        click.echo(f"{left_out} other files left out (no picture's suffix)", err=True)
    if job.counts.rejected:
        raise click.exceptions.Exit(1)


class _Screen:
    """A progress bar, and a line for each reject as soon as it is on record."""

    def __init__(self, store: JobStore, job: Job) -> None:
        from tqdm import tqdm

        self._store = store
        self._job = job.id
        self._seen = store.last_reject(job.id)
        self._write = partial(tqdm.write, file=sys.stderr)
        self._bar = tqdm(total=job.total, initial=job.done, unit="rows", desc=job.table)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, job: Job) -> None:
        while rejects := self._store.rejects(self._job, after=self._seen):
            for reject in rejects:
                self._write(printable(f"rejected {reject.place}: {reject.reason}"))
            self._seen = rejects[-1].id
        if job.counts.rejected:
            self._bar.set_postfix(rejected=job.counts.rejected, refresh=False)
        self._bar.total = job.total
        self._bar.update(job.done - self._bar.n)

    def wait(self, job: Job, seconds: float) -> None:
        self._write(printable(f"{job.message}; trying again in {seconds:.0f} s"))
