"""`havengate worker`: runs jobs in a process of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from havengate.cli.common import printable
from havengate.cli.jobs import job_line

if TYPE_CHECKING:
    from types import FrameType

    from ingest.jobs.model import Job
    from ingest.table_administration import LocalAdministration


@click.command()
@click.option("--once", is_flag=True, help="Run what may run now, and end; exit code 1 where a job failed.")
def worker(once: bool) -> None:
    """Run jobs until a signal ends it: those that wait, and those whose process was killed.

    With the embedded engine `havengate serve` does that, because one process holds the data folder; this command is
    for a folder that is not served, and for the engine opensearch where gateways have HAVENGATE_JOBS__IN_SERVER=false.
    A signal stops the running job at its next checkpoint; whoever runs jobs next goes on there.

    Example: havengate worker --once
    """
    from havengate.log import configure
    from havengate.memory import give_back_large_blocks
    from havengate.preflight import checked_settings
    from ingest.jobs.worker import Worker
    from ingest.kinds import KINDS

    configure(checked_settings().log)
    give_back_large_blocks()
    lines = _Lines()
    with _told_by_signals() as told, _administration() as here:
        running = Worker(here.services, here.history, here.store, KINDS, show=lines.show)
        told.end = lambda: running.stop(0)
        if told.numbers:
            running.stop(0)
        if once:
            running.run_what_is_there()
        else:
            running.run()
    if once and lines.failed:
        raise click.exceptions.Exit(1)


@contextmanager
def _administration() -> Iterator[LocalAdministration]:
    """Raises DataFolderBusy naming the server that runs the jobs itself."""
    from havengate.cli.common import open_folder, who
    from ingest.table_administration import open_administration

    with open_folder() as services:
        here = open_administration(services, who())
        try:
            yield here
        finally:
            here.close()


class _Told:
    """The signals so far; ``end`` is called at the first one."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.end: Callable[[], object] = lambda: None


@contextmanager
def _told_by_signals() -> Iterator[_Told]:
    """The second one of SIGINT and SIGTERM ends it at once, as a kill would."""
    told = _Told()

    def end(number: int, _frame: FrameType | None) -> None:
        if told.numbers:
            raise KeyboardInterrupt
        told.numbers.append(number)
        told.end()

    former = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class _Lines:
    """A line when a job begins, another when nobody runs it any more."""

    def __init__(self) -> None:
        self.failed = False
        self._shown: tuple[int, str] | None = None

    def show(self, job: Job) -> None:
        from ingest.administration import job_json

        self.failed = self.failed or job.state == "failed"
        if self._shown != (job.id, job.state):
            self._shown = job.id, job.state
            click.echo(printable(job_line(job_json(job))))
