"""Tables that are rebuilt by themselves when their MaxCompute source has a new partition."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from havengate.errors import HavengateError, UnfitTable, UnknownTable
from ingest.jobs.model import ENDED
from ingest.rebuild.decide import Wanted
from ingest.rebuild.record import RebuildRecord
from ingest.rebuild.request import Rebuild, ask_rebuild, forget_requests
from ingest.sources.maxcompute import NEWEST, newest_partition, read_address

if TYPE_CHECKING:
    from pathlib import Path

    from havengate.services import Services
    from havengate.setting_groups import SourceSettings
    from ingest.jobs.model import Job
    from ingest.jobs.store import JobStore

_LOG = logging.getLogger(__name__)
BY = "automatic"
_SCHEME = "maxcompute://"
_EXCLUSIVE = ("rebuild", "rollback")
Newest = Callable[[str, "SourceSettings"], str | None]


def due_rebuilds(services: Services, store: JobStore, newest: Newest = newest_partition) -> list[Job]:
    """Makes a job for each table with ``rebuild=auto`` whose source has a partition that it has not been built from.

    A worker calls this every ``settings.jobs.poll_s`` seconds. A partition has one job, however often and by however
    many processes this is called; where that has failed, somebody has to resume it. A source that is away is passed
    over, and asked again the next time.
    """
    made: list[Job] = []
    data_dir, names = services.settings.data_dir, services.tables.names()
    forget_requests(data_dir, store)
    with closing(RebuildRecord(data_dir)) as record:
        record.forget_tables_but(names)
        automatic = [name for name in names if _is_automatic(services, name)]
        with _alone(data_dir) if automatic else nullcontext():
            for table in automatic:
                try:
                    made += _due(services, store, record, table, newest)
                except HavengateError as error:
                    _LOG.warning("table %s is not rebuilt by itself: %s", table, error.message)
    return made


def _is_automatic(services: Services, table: str) -> bool:
    with suppress(UnfitTable, UnknownTable):
        settings = services.engine.table(table).settings
        return settings.rebuild == "auto" and settings.source.lower().startswith(_SCHEME)
    return False


def _due(services: Services, store: JobStore, record: RebuildRecord, table: str, newest: Newest) -> Iterator[Job]:
    settings = services.engine.table(table).settings
    address = read_address(settings.source)
    partition = newest(settings.source, services.settings.sources) if address.partition in NEWEST else None
    if partition is None:
        return
    source, jobs = str(replace(address, partition=partition)), store.jobs(table, limit=-1)
    # A job that was made before a kill is not on record.
    known = any(job.kind == "rebuild" and job.params.get("source") == source for job in jobs)
    if not known and record.is_new_partition(table, source):
        if any(job.kind in _EXCLUSIVE and job.state not in ENDED for job in jobs):
            # It is looked at again when that one has ended.
            return
        # Bad rows of a source stop nothing: nobody is there who could say how many may be.
        yield ask_rebuild(services, store, table, Rebuild(Wanted(source=source), max_rejects=None), BY)
    record.had_partition(table, source)


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """One process looks at a time; the kernel lets the next one in when it dies."""
    folder = data_dir / "jobs"
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "automatic.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
