"""One attempt at a job, from its checkpoint on, by whoever calls."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from havengate.errors import EngineError, HavengateError, JobError, is_passing
from havengate.request_id import REQUEST_ID
from ingest.jobs.control import JobControl, Show, Stopped, quiet
from ingest.jobs.model import Cancelled, Job, Kind, Paused, State
from ingest.jobs.rejects_file import write_rejects

if TYPE_CHECKING:
    from havengate.services import Services
    from ingest.history import Change, ChangeLog, What
    from ingest.jobs.lease import Lease
    from ingest.jobs.store import JobStore

_LOG = logging.getLogger(__name__)
_LONGEST_PAUSE_S = 300.0
_RECORD_S = 1.0
_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Stop:
    """``event`` ends a job at its next checkpoint, which is ``leaves`` then."""

    event: threading.Event
    leaves: State = "queued"


def run_job(
    services: Services,
    changes: ChangeLog,
    store: JobStore,
    job_id: int,
    *,
    show: Show = quiet,
    stop: Stop | None = None,
) -> Job:
    """Runs a job until it is done or cannot go on, and returns it as it is then.

    A job whose trouble may pass is queued again with a pause before it, one that was cancelled is tidied up.
    Raises JobError where it cannot be run now, EngineError where the job table cannot be written: then it is as if
    this process had died.
    """
    from ingest.kinds import KINDS

    return Runner(services, changes, store, KINDS).run(job_id, show, stop)


class Runner:
    """Runs jobs of these kinds in the thread that calls."""

    def __init__(self, services: Services, changes: ChangeLog, store: JobStore, kinds: Mapping[str, Kind]) -> None:
        self._services = services
        self._changes = changes
        self._store = store
        self._kinds = kinds

    def run(self, job_id: int, show: Show = quiet, stop: Stop | None = None) -> Job:
        """As ``run_job``."""
        return self._run(self._store.take(job_id, self._kinds), show, stop)

    def run_next(self, show: Show = quiet, stop: Stop | None = None) -> Job | None:
        """The oldest job that may run; None where there is none."""
        claimed = self._store.claim(self._kinds)
        return None if claimed is None else self._run(claimed, show, stop)

    def _run(self, claimed: tuple[Job, Lease], show: Show, stop: Stop | None) -> Job:
        job, lease = claimed
        told = _Told(self._changes, show)
        before = REQUEST_ID.set(f"job-{job.id}")
        try:
            job = self._attempt(job, told, stop or Stop(threading.Event()))
            self._write_rejects(job)
            told.end(job)
            return job
        finally:
            REQUEST_ID.reset(before)
            lease.release()

    def _attempt(self, job: Job, told: _Told, stop: Stop) -> Job:
        control = JobControl(self._store, job, told.saved, stop.event)
        try:
            told.begin(job)
            # Somebody may have asked while nobody ran it.
            control.save()
            self._require_not_deadly(job)
            message = self._kinds[job.kind].run(self._services, self._changes, control)
            return self._store.finish(job.id, "done", message)
        except Cancelled:
            return self._cancelled(control.job)
        except Stopped:
            return self._store.finish(job.id, stop.leaves, "")
        except Paused:
            return self._store.finish(job.id, "paused", "")
        except HavengateError as error:
            return self._failed(control.job, error)
        except Exception as error:  # noqa: BLE001 -- whatever a kind does wrong, its worker goes on
            _LOG.exception("job %d (%s of %s)", job.id, job.kind, job.table)
            return self._store.finish(job.id, "failed", f"unexpected {type(error).__name__}: {error}")

    def _write_rejects(self, job: Job) -> None:
        if not job.counts.rejected:
            return
        try:
            write_rejects(self._store, self._services.settings.data_dir, job.id)
        except (OSError, EngineError) as error:
            # They are in the job table, too.
            _LOG.warning("job %d: its rejected rows have no file: %s", job.id, error)

    def _require_not_deadly(self, job: Job) -> None:
        if job.tries >= self._services.settings.jobs.attempts:
            raise JobError(
                f"whoever ran it ended without a word, {job.tries} times at this place; `resume` tries again"
            )

    def _cancelled(self, job: Job) -> Job:
        try:
            self._kinds[job.kind].abandon(self._services, self._changes, job)
        except HavengateError as error:
            # It is tried again with what is asked of it, which is to end.
            return self._failed(job, error, wanted="cancel")
        return self._store.finish(job.id, "cancelled", "")

    def _failed(self, job: Job, error: HavengateError, **change: object) -> Job:
        settings, tries = self._services.settings.jobs, job.tries + 1
        if not is_passing(error):
            return self._store.finish(job.id, "failed", error.message, **change)
        if tries >= settings.attempts:
            return self._store.finish(job.id, "failed", f"{error.message} ({tries} attempts)", tries=tries, **change)
        not_before = self._store.now() + min(settings.backoff_s * 2 ** (tries - 1), _LONGEST_PAUSE_S)
        return self._store.finish(job.id, "queued", error.message, tries=tries, not_before=not_before, **change)


class _Told:
    """Who hears of a job's progress: whoever looks on at once, the change history about every second."""

    def __init__(self, changes: ChangeLog, show: Show) -> None:
        self._changes = changes
        self._show = show
        self._entry: Change | None = None
        self._recorded = 0.0

    def begin(self, job: Job) -> None:
        """Goes on with the job's entry, or makes it. Raises EngineError."""
        self._entry = _entry(self._changes, job)

    def saved(self, job: Job) -> None:
        if time.monotonic() - self._recorded >= _RECORD_S:
            self._record(job)
        self._show(job)

    def end(self, job: Job) -> None:
        self._record(job)
        self._show(job)

    def _record(self, job: Job) -> None:
        self._recorded = time.monotonic()
        if self._entry is None:
            return
        self._entry = _carried_on(self._entry, job)
        try:
            self._changes.update(self._entry)
        except HavengateError as error:
            # What cannot be written there costs no job.
            _LOG.warning("job %d is not up to date in the change history: %s", job.id, error.message)


def _entry(changes: ChangeLog, job: Job) -> Change:
    for change in reversed(changes.entries(table=job.table, since=job.created, limit=_ENTRIES)):
        if change.job == job.id and change.what == job.kind:
            return change
    return changes.add(cast("What", job.kind), job.table, job.by, job=job.id, detail=job.params)


def _carried_on(change: Change, job: Job) -> Change:
    return replace(
        change,
        state=job.state,
        progress=min(1.0, job.done / job.total) if job.total else None,
        read=job.counts.read,
        written=job.counts.written,
        deleted=job.counts.deleted,
        rejected=job.counts.rejected,
        ended=job.ended,
        detail={**job.params, **job.report, **({"message": job.message} if job.message else {})},
    )
