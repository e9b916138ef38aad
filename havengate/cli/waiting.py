"""A job that a command has asked for: run here, or watched where a server runs it."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import click

from havengate.cli.common import printable
from havengate.errors import JobError

if TYPE_CHECKING:
    from ingest.administration import Administration
    from ingest.jobs.model import Job
    from ingest.table_administration import LocalAdministration

Json = dict[str, Any]
_POLL_S = 0.3
_WAITING = ("queued", "running")


def finished(desk: Administration, job: Json) -> Json:
    """The job when nobody runs it any more: done, or stopped by an error, a pause or somebody."""
    from ingest.table_administration import LocalAdministration

    with _Bar(job) as bar:
        if isinstance(desk, LocalAdministration):
            return _run(desk, job["id"], bar)
        while job["state"] in _WAITING:
            time.sleep(_POLL_S)
            job = desk.job(job["id"])
            bar.show(job)
        return job


def tell(job: Json) -> None:
    """Says what a job came to; exit code 1 where rows were rejected. Raises JobError where it is not done."""
    if job["state"] != "done":
        reason = f": {job['message']}" if job["message"] else ""
        raise JobError(f"job {job['id']} is {job['state']}{reason}")
    click.echo(printable(job["message"]))
    if job["counts"]["rejected"]:
        click.echo(f"`havengate job show {job['id']}` lists what was rejected", err=True)
        raise click.exceptions.Exit(1)


def _run(desk: LocalAdministration, number: int, bar: _Bar) -> Json:
    from ingest.administration import job_json
    from ingest.jobs.foreground import run_in_foreground
    from ingest.jobs.runner import run_job

    job = run_in_foreground(
        lambda stop: run_job(desk.services, desk.history, desk.store, number, show=bar.show_job, stop=stop),
        bar.wait,
        time.time,
    )
    return job_json(job)


class _Bar:
    """Phase and rows of a job."""

    def __init__(self, job: Json) -> None:
        from tqdm import tqdm

        self._bar = tqdm(unit="rows", desc=job["table"], disable=None)
        self._write = partial(tqdm.write, file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show_job(self, job: Job) -> None:
        self.show(asdict(job))

    def show(self, job: Json) -> None:
        self._bar.set_description(f"{job['table']}: {job['phase']}", refresh=False)
        self._bar.total = job["total"]
        self._bar.update(job["done"] - self._bar.n)

    def wait(self, job: Job, seconds: float) -> None:
        self._write(printable(f"{job.message}; trying again in {seconds:.0f} s"))
