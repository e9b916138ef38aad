"""The hand of a running job on its line of the table; implements ingest.jobs.model.Control."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace

from ingest.jobs.model import Cancelled, Counts, Job, Paused
from ingest.jobs.store import JobStore

_SHOW_S = 1.0

Show = Callable[[Job], None]


def quiet(_: Job) -> None:
    """Shows nobody anything."""


class Stopped(Paused):
    """Whoever runs the job has to go: it is queued, or paused, as the runner says."""


class JobControl:
    """``stop`` ends the job at its next checkpoint; ``show`` hears of every one, and of steps about once a second."""

    def __init__(self, store: JobStore, job: Job, show: Show, stop: threading.Event) -> None:
        self._store = store
        self._job = job
        self._show = show
        self._stop = stop
        self._shown = time.monotonic()
        self._rejects: list[tuple[str, str | None, str]] = []
        self._keys: dict[str, str] = {}

    @property
    def job(self) -> Job:
        return self._job

    def reject(self, place: str, pk: str | None, reason: str) -> None:
        self._rejects.append((_plain(place), None if pk is None else _plain(pk), _plain(reason)))

    def first_places(self, keys: Iterable[tuple[str, str]]) -> dict[str, str]:
        pairs = dict(keys)
        found = self._store.first_places(self._job.id, pairs)
        # Asking twice before a save finds oneself.
        found |= {pk: had for pk, had in self._keys.items() if pairs.get(pk, had) != had}
        self._keys |= {pk: _plain(place) for pk, place in pairs.items() if pk not in found}
        return found

    def save(
        self,
        checkpoint: Mapping[str, object] | None = None,
        *,
        phase: str | None = None,
        done: int | None = None,
        total: int | None = None,
        counts: Counts | None = None,
        report: Mapping[str, object] | None = None,
    ) -> None:
        given = {"checkpoint": checkpoint, "phase": phase, "done": done, "total": total, "report": report}
        change = {name: value for name, value in given.items() if value is not None}
        if counts is not None:
            change |= asdict(counts)
        if checkpoint is not None and checkpoint != self._job.checkpoint:
            change["tries"] = 0
        self._job = self._store.save(self._job.id, change, rejects=self._rejects, keys=self._keys.items())
        self._rejects.clear()
        self._keys.clear()
        self._tell()
        if self._job.wanted == "cancel":
            raise Cancelled
        if self._job.wanted == "pause":
            raise Paused
        if self._stop.is_set():
            raise Stopped

    def step(self, done: int) -> None:
        self._job = replace(self._job, done=done)
        if time.monotonic() - self._shown >= _SHOW_S:
            self._job = self._store.save(self._job.id, {"done": done})
            self._tell()

    def _tell(self) -> None:
        self._shown = time.monotonic()
        self._show(self._job)


def _plain(text: str) -> str:
    """SQLite takes no lone surrogates, which names that are not UTF-8 have."""
    return text.encode(errors="backslashreplace").decode()
