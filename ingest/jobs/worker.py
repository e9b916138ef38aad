"""A thread that runs jobs one after the other, for `havengate worker` and inside the server."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from havengate.errors import HavengateError
from ingest.jobs.control import Show, quiet
from ingest.jobs.runner import Runner, Stop
from ingest.rebuild.automatic import due_rebuilds
from ingest.rebuild.swap import sweep_pictures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from havengate.services import Services
    from ingest.history import ChangeLog
    from ingest.jobs.model import Kind
    from ingest.jobs.store import JobStore

_LOG = logging.getLogger(__name__)
_LOOK_S = 1.0
_TROUBLE_S = 10.0
_PRUNE_S = 3600.0
_SWEEP_S = 86_400.0


class Worker:
    """Claims queued jobs, and those whose owner died, oldest first; looks about every second, and when woken.

    Several threads make several jobs run at once: jobs of different tables, or of different generations.
    """

    def __init__(
        self,
        services: Services,
        changes: ChangeLog,
        store: JobStore,
        kinds: Mapping[str, Kind],
        *,
        show: Show = quiet,
        look_s: float = _LOOK_S,
    ) -> None:
        self._runner = Runner(services, changes, store, kinds)
        self._store = store
        self._changes = changes
        self._services = services
        self._keep_days = services.settings.jobs.keep_days
        self._poll_s = services.settings.jobs.poll_s
        self._show = show
        self._look_s = look_s
        self._stop = Stop(threading.Event())
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self.run, name="jobs", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is a new job."""
        self._woken.set()

    def stop(self, wait_s: float = 10.0) -> bool:
        """The running job stops at its next checkpoint and is queued; whether that took no longer than ``wait_s``."""
        self._stop.event.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(wait_s)
        return self._thread is None or not self._thread.is_alive()

    def run_what_is_there(self) -> None:
        """In the calling thread, until no job may run now, or ``stop``. Raises EngineError."""
        while not self._stop.event.is_set() and self._runner.run_next(self._show, self._stop) is not None:
            pass

    def run(self) -> None:
        """In the calling thread, until ``stop``."""
        pruned = polled = float("-inf")
        swept = self._store.now()
        while not self._stop.event.is_set():
            self._woken.clear()
            pause = self._look_s
            try:
                if self._store.now() - pruned > _PRUNE_S:
                    self._store.prune(self._keep_days)
                    self._changes.prune(self._keep_days)
                    pruned = self._store.now()
                if self._store.now() - polled > self._poll_s:
                    due_rebuilds(self._services, self._store)
                    polled = self._store.now()
                if self._runner.run_next(self._show, self._stop) is not None:
                    continue
                if self._store.now() - swept > _SWEEP_S:
                    swept = self._store.now()
                    sweep_pictures(self._services.engine, self._services.tables.blobs)
            except HavengateError as error:
                _LOG.warning("no jobs are run for %g seconds: %s", _TROUBLE_S, error.message)
                pause = _TROUBLE_S
            if not self._stop.event.is_set():
                self._woken.wait(pause)
