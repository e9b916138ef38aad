"""The job table: who wants what done, how far it has come, and what did not go in.

Several processes use it at once: the command line, the server and workers.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Literal

from havengate.chunks import chunks
from havengate.errors import JobError, UnknownJob
from ingest.jobs.database import Database
from ingest.jobs.lease import Lease, forget, owner
from ingest.jobs.model import ENDED, Counts, Job, Kind, Reject, State

Ask = Literal["pause", "cancel", "resume", "retry"]

_COUNTS = tuple(field.name for field in fields(Counts))
_JSON = ("params", "checkpoint", "report")
_KEYS_PER_QUERY = 500
_DAY_S = 86_400


class JobStore:
    """Thread-safe. Every method raises EngineError where the table cannot be read or written."""

    def __init__(self, data_dir: Path, now: Callable[[], float] = time.time) -> None:
        """Nothing is written before the first job."""
        self._data_dir = data_dir
        self.now = now
        self._database = Database(data_dir)

    def close(self) -> None:
        self._database.close()

    def add(self, kind: str, table: str, params: Mapping[str, object], by: str) -> Job:
        """A job that waits for a worker, or for ``take``."""
        with self._database.writing() as file:
            made = file.execute(
                'INSERT INTO jobs (kind, "table", params, state, by, created) VALUES (?, ?, ?, ?, ?, ?)',
                (kind, table, _text(params), "queued", by, self.now()),
            )
            return _job(file, int(made.lastrowid or 0))

    def job(self, job_id: int) -> Job:
        """Raises JobError where there is none."""
        with self._database.reading() as file:
            return _job(file, job_id)

    def jobs(self, table: str | None = None, state: State | None = None, limit: int = 100) -> list[Job]:
        """Newest first."""
        with self._database.reading() as file:
            rows = file.execute(
                'SELECT * FROM jobs WHERE (:table IS NULL OR "table" = :table) AND (:state IS NULL OR state = :state)'
                " ORDER BY id DESC LIMIT :limit",
                {"table": table, "state": state, "limit": limit},
            )
            return [_read(row) for row in rows]

    def numbers(self) -> dict[tuple[str, str], int]:
        """How many jobs there are by kind and state."""
        with self._database.reading() as file:
            rows = file.execute("SELECT kind, state, COUNT(*) FROM jobs GROUP BY kind, state")
            return {(kind, state): number for kind, state, number in rows}

    def unfinished(self, kind: str, table: str, params: Mapping[str, object]) -> Job | None:
        """The newest job of that kind that has not ended and whose parameters have these values among them."""
        with self._database.reading() as file:
            rows = file.execute('SELECT * FROM jobs WHERE kind = ? AND "table" = ? ORDER BY id DESC', (kind, table))
            for job in map(_read, rows):
                if job.state not in ENDED and params.items() <= dict(job.params).items():
                    return job
        return None

    def rejects(self, job_id: int, after: int = 0, limit: int = 1000) -> list[Reject]:
        """Those with an id above ``after``, in order."""
        with self._database.reading() as file:
            rows = file.execute(
                "SELECT id, place, pk, reason FROM rejects WHERE job = ? AND id > ? ORDER BY id LIMIT ?",
                (job_id, after, limit),
            )
            return [Reject(*row) for row in rows]

    def last_reject(self, job_id: int) -> int:
        """The id of the newest one, or 0."""
        with self._database.reading() as file:
            (last,) = file.execute("SELECT COALESCE(MAX(id), 0) FROM rejects WHERE job = ?", (job_id,)).fetchone()
            return int(last)

    def is_held(self, job_id: int) -> bool:
        """Whether somebody who is alive runs it."""
        # Looking takes the lease for a moment; within a transaction nobody else wants it then.
        with self._database.writing():
            return self._held(job_id)

    def ask(self, job_id: int, what: Ask) -> Job:
        """What somebody runs stops at its next checkpoint, the rest changes at once.

        A job that has begun and is cancelled waits for a worker, or for ``run_job``, to undo what it left half-done.
        "resume" and "retry" are one: a paused, failed or waiting job is queued and may run now. Raises JobError for a
        job that has ended.
        """
        with self._database.writing() as file, self._lease(_job(file, job_id).id) as lease:
            job = _job(file, job_id)
            if job.state in ENDED:
                raise JobError(f"job {job_id} is {job.state}: there is nothing to {what}")
            if what in ("resume", "retry"):
                change: dict[str, object] = {"wanted": ""}
                if lease is not None:
                    change |= {"state": "queued", "tries": 0, "not_before": 0.0, "message": ""}
            elif lease is None:
                change = {"wanted": what}
            elif what == "pause":
                if job.state == "failed":
                    raise JobError(f"job {job_id} has failed: it does not run")
                change = {"state": "paused", "wanted": "", "owner": ""}
            elif job.attempts == 0:
                change = {"state": "cancelled", "ended": self.now()}
            else:
                change = {"state": "queued", "wanted": "cancel", "not_before": 0.0}
            return _set(file, job_id, change)

    def amend(self, job_id: int, params: Mapping[str, object]) -> Job:
        """Other parameters from its next beginning on."""
        with self._database.writing() as file:
            return _set(file, job_id, {"params": _text({**_job(file, job_id).params, **params})})

    def claim(self, kinds: Mapping[str, Kind]) -> tuple[Job, Lease] | None:
        """The oldest job that may run now, as running: queued, or left behind by an owner who died."""
        with self._database.writing() as file:
            rows = file.execute(
                "SELECT * FROM jobs WHERE state = 'running' OR (state = 'queued' AND not_before <= ?)"
                " ORDER BY state = 'queued', id",
                (self.now(),),
            ).fetchall()
            for job in map(_read, rows):
                if job.kind in kinds and self._rival(file, job, kinds) is None:
                    lease = Lease.take(self._data_dir, job.id)
                    if lease is not None:
                        return self._begun(file, job, lease, by_itself=True), lease
        return None

    def take(self, job_id: int, kinds: Mapping[str, Kind]) -> tuple[Job, Lease]:
        """One job, as running. Raises JobError saying why it cannot run now."""
        with self._database.writing() as file:
            job = _job(file, job_id)
            if job.state in ENDED:
                raise JobError(f"job {job_id} is {job.state}")
            if job.kind not in kinds:
                raise JobError(f"job {job_id} is of kind {job.kind!r}, this version knows {', '.join(sorted(kinds))}")
            if rival := self._rival(file, job, kinds):
                raise JobError(f"job {job_id} waits for job {rival.id} ({rival.kind} of {rival.table}, {rival.owner})")
            lease = Lease.take(self._data_dir, job_id)
            if lease is None:
                raise JobError(f"job {job_id} is being run by {job.owner}")
            return self._begun(file, job, lease, by_itself=False), lease

    def first_places(self, job_id: int, keys: Iterable[str]) -> dict[str, str]:
        """Of these keys, those that the job has saved before, with their places."""
        found: dict[str, str] = {}
        with self._database.reading() as file:
            for part in chunks(keys, _KEYS_PER_QUERY):
                marks = ",".join("?" * len(part))
                query = f"SELECT pk, place FROM keys WHERE job = ? AND pk IN ({marks})"  # noqa: S608  only marks
                found |= dict(file.execute(query, (job_id, *part)))
        return found

    def save(
        self,
        job_id: int,
        change: Mapping[str, object],
        *,
        rejects: Sequence[tuple[str, str | None, str]] = (),
        keys: Iterable[tuple[str, str]] = (),
    ) -> Job:
        """Fields of a Job, rejects (place, pk, reason) and keys (pk, place), all or none. A job that ends loses its
        keys.
        """
        with self._database.writing() as file:
            file.executemany("INSERT INTO rejects (job, place, pk, reason) VALUES (?, ?, ?, ?)", _for(job_id, rejects))
            file.executemany("INSERT OR IGNORE INTO keys (job, pk, place) VALUES (?, ?, ?)", _for(job_id, keys))
            if change.get("state") in ENDED:
                file.execute("DELETE FROM keys WHERE job = ?", (job_id,))
            return _set(file, job_id, {**change, "heartbeat": self.now()})

    def finish(self, job_id: int, state: State, message: str, **change: object) -> Job:
        """Nobody runs it any more."""
        ended = None if state in ("queued", "paused") else self.now()
        return self.save(
            job_id, {"state": state, "message": message, "owner": "", "wanted": "", "ended": ended, **change}
        )

    def prune(self, keep_days: int) -> int:
        """Forgets jobs that ended longer ago, with their rejects; how many."""
        before = self.now() - keep_days * _DAY_S
        marks = ",".join("?" * len(ENDED))
        with self._database.reading() as file:
            query = f"SELECT id FROM jobs WHERE state IN ({marks}) AND ended < ?"  # noqa: S608  only marks
            old = [(job,) for (job,) in file.execute(query, (*ENDED, before))]
        if old:
            with self._database.writing() as file:
                file.executemany("DELETE FROM rejects WHERE job = ?", old)
                file.executemany("DELETE FROM jobs WHERE id = ?", old)
        for (job,) in old:
            forget(self._data_dir, job)
        return len(old)

    @contextmanager
    def _lease(self, job_id: int) -> Iterator[Lease | None]:
        """The job's lease for a moment, so that nobody begins to run it; None where somebody runs it."""
        lease = Lease.take(self._data_dir, job_id)
        try:
            yield lease
        finally:
            if lease is not None:
                lease.release()

    def _rival(self, file: sqlite3.Connection, job: Job, kinds: Mapping[str, Kind]) -> Job | None:
        """Another job that writes the same generation of the table now."""
        rows = file.execute("SELECT * FROM jobs WHERE state = 'running' AND \"table\" = ?", (job.table,)).fetchall()
        for other in map(_read, rows):
            if other.id == job.id or other.kind not in kinds or kinds[other.kind].writes != kinds[job.kind].writes:
                continue
            # One whose owner died writes nothing; it goes on when this one is done.
            if self._held(other.id):
                return other
        return None

    def _held(self, job_id: int) -> bool:
        with self._lease(job_id) as lease:
            return lease is None

    def _begun(self, file: sqlite3.Connection, job: Job, lease: Lease, *, by_itself: bool) -> Job:
        now = self.now()
        change = {"state": "running", "owner": owner(), "heartbeat": now, "attempts": job.attempts + 1, "ended": None}
        if job.state != "queued":
            # A job that takes its process with it must not do so for ever, unless somebody asks for it each time.
            change["tries"] = job.tries + 1 if by_itself else 0
        try:
            return _set(file, job.id, {**change, "started": job.started or now, "not_before": 0.0, "message": ""})
        except BaseException:
            lease.release()
            raise


def _job(file: sqlite3.Connection, job_id: int) -> Job:
    row = None
    # A number that SQLite cannot hold is no job's either.
    with suppress(OverflowError):
        row = file.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        raise UnknownJob(f"no job {job_id}")
    return _read(row)


def _set(file: sqlite3.Connection, job_id: int, change: Mapping[str, object]) -> Job:
    values = {name: _text(value) if isinstance(value, Mapping) else value for name, value in change.items()}
    sets = ", ".join(f'"{name}" = :{name}' for name in values)
    file.execute(f"UPDATE jobs SET {sets} WHERE id = :job_id", {**values, "job_id": job_id})  # noqa: S608  our own names
    return _job(file, job_id)


def _read(row: sqlite3.Row) -> Job:
    values = dict(row)
    counts = Counts(**{name: values.pop(name) for name in _COUNTS})
    return Job(**values | {name: json.loads(values[name]) for name in _JSON}, counts=counts)


def counted(counts: Counts) -> dict[str, object]:
    """Counts as fields for ``save``."""
    return asdict(counts)


def _text(value: Mapping[str, object]) -> str:
    # ASCII, because names of files that are not UTF-8 are in it, too.
    return json.dumps(dict(value), allow_nan=False)


def _for(job_id: int, values: Iterable[tuple[str | None, ...]]) -> Iterator[tuple[object, ...]]:
    return ((job_id, *value) for value in values)
