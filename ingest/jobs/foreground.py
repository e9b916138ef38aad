"""One job in the foreground of a terminal: it is waited for, and a signal pauses it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ingest.jobs.model import Job
from ingest.jobs.runner import Stop

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_in_foreground(
    attempt: Callable[[Stop], Job], wait: Callable[[Job, float], None], now: Callable[[], float]
) -> Job:
    """Attempts at a job until one neither ends nor fails: a queued one is tried again when its pause is over.

    ``wait`` hears of the job and how many seconds it waits for. SIGINT and SIGTERM leave the job paused at its last
    checkpoint, and so does a second signal, at once (KeyboardInterrupt).
    """
    with _paused_by_signals() as stop:
        while True:
            job = attempt(stop)
            pause = max(0.0, job.not_before - now())
            if job.state != "queued" or stop.event.is_set():
                return job
            wait(job, pause)
            stop.event.wait(pause)


@contextmanager
def _paused_by_signals() -> Iterator[Stop]:
    stop = Stop(threading.Event(), "paused")

    def ask(_: int, __: FrameType | None) -> None:
        if stop.event.is_set():
            raise KeyboardInterrupt
        stop.event.set()

    former = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
