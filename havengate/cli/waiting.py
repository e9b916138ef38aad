"""A job that a command has asked for: run here, or watched where a server runs it."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import click

from havengate.cli.common import printable
from havengate.cli.jobs import reject_line
from havengate.errors import EngineError, JobError

if TYPE_CHECKING:
    from ingest.administration import Administration
    from ingest.jobs.model import Job
    from ingest.jobs.runner import Stop
    from ingest.table_administration import LocalAdministration

Json = dict[str, Any]
_POLL_S = 0.3
_PATIENCE_S = 5.0
_WAITING = ("queued", "running")


def finished(desk: Administration, job: Json) -> Json:
    """The job when nobody runs it any more: done, or stopped by an error, a pause or somebody.

    Ctrl-C pauses a job that runs here; one that a server runs goes on there.
    """
    from ingest.table_administration import LocalAdministration

    with _Screen(desk, job) as screen:
        return _run(desk, job["id"], screen) if isinstance(desk, LocalAdministration) else _watch(desk, job, screen)


def tell(job: Json) -> None:
    """Says what a job came to; exit code 1 where rows were rejected. Raises JobError where it is not done."""
    if job["state"] != "done":
        reason = f": {job['message']}" if job["message"] else ""
        begun = f" after {job['counts']['read']} rows" if job["counts"]["read"] else ""
        # What the message says to do instead is not contradicted.
        ends = job["state"] == "cancelled" or "--restart" in job["message"]
        again = "" if ends else "; the same command goes on where it stopped"
        raise JobError(f"job {job['id']} is {job['state']}{begun}{reason}{again}")
    click.echo(printable(job["message"]))
    if left_out := job["report"].get("left_out"):
        click.echo(f"{left_out} other files left out (no picture's suffix)", err=True)
    if job["counts"]["rejected"]:
        click.echo(
            f"places, keys and reasons: {job['rejects_file']} in the data folder, or `havengate job show {job['id']}`",
            err=True,
        )
        raise click.exceptions.Exit(1)


def _run(desk: LocalAdministration, number: int, screen: _Screen) -> Json:
    from ingest.administration import job_json
    from ingest.jobs.foreground import run_in_foreground
    from ingest.jobs.runner import run_job

    def show(job: Job) -> None:
        screen.show(job_json(job))

    def wait(job: Job, seconds: float) -> None:
        screen.say(f"{job.message}; trying again in {seconds:.0f} s")

    def attempt(stop: Stop) -> Job:
        return run_job(desk.services, desk.history, desk.store, number, show=show, stop=stop)

    try:
        return job_json(run_in_foreground(attempt, wait, desk.store.now))
    except JobError:
        # With the engine opensearch a server's worker may have been faster.
        if not desk.store.is_held(number) and desk.store.job(number).state in _WAITING:
            raise
    return _watch(desk, desk.job(number), screen)


def _watch(desk: Administration, job: Json, screen: _Screen) -> Json:
    number, began, waits = job["id"], time.monotonic(), ""
    try:
        while job["state"] in _WAITING:
            time.sleep(_POLL_S)
            job = desk.job(number)
            screen.show(job)
            if waits != (waits := _why_it_waits(job, time.monotonic() - began)) and waits:
                screen.say(waits)
    except KeyboardInterrupt:
        screen.say(f"job {number} goes on in the server: `havengate job show {number}` says how far it is")
        raise
    except EngineError as error:
        raise EngineError(f"{error.message}; job {number} goes on when the folder is served again") from error
    return job


def _why_it_waits(job: Json, seconds: float) -> str:
    if job["state"] == "queued" and job["message"]:
        return f"{job['message']}; it is tried again"
    if job["state"] == "queued" and seconds > _PATIENCE_S:
        return f"job {job['id']} waits for its turn; `havengate job list` shows what runs"
    return ""


class _Screen:
    """A bar with a job's phase and rows, and a line for each reject as soon as it is on record."""

    def __init__(self, desk: Administration, job: Json) -> None:
        from tqdm import tqdm

        self._desk = desk
        self._job = job["id"]
        self._seen = 0
        if job["counts"]["rejected"]:
            self._rejects()
        self._rejected = job["counts"]["rejected"]
        self._write = partial(tqdm.write, file=sys.stderr)
        self._bar = tqdm(total=job["total"], initial=job["done"], unit=" rows", desc=job["table"], disable=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, job: Json) -> None:
        if job["counts"]["rejected"] != self._rejected:
            self._rejected = job["counts"]["rejected"]
            for reject in self._rejects():
                self.say(reject_line(reject))
            self._bar.set_postfix(rejected=self._rejected, refresh=False)
        self._bar.set_description(f"{job['table']}: {job['phase']}" if job["phase"] else job["table"], refresh=False)
        self._bar.total = job["total"]
        self._bar.update(job["done"] - self._bar.n)

    def say(self, line: str) -> None:
        self._write(printable(line))

    def _rejects(self) -> list[Json]:
        """Those that were not asked for yet."""
        found: list[Json] = []
        while page := self._desk.rejects(self._job, after=self._seen):
            self._seen = page[-1]["id"]
            found += page
        return found
