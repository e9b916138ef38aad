"""How many requests are worked on at once, whatever number of clients is slow to send or to take theirs."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Answered beside the slots: a busy gateway is not a dead one, and the one to look at."""
_SLOTS = "havengate.slots"
USE = "havengate.slot_use"
WAITED = "havengate.waited_s"


@dataclass(frozen=True, slots=True)
class SlotUse:
    """Requests: how many may be worked on, are worked on, and wait until they may."""

    most: int
    busy: int
    waiting: int


class _Free:
    """A semaphore that can say how many have it and how many wait for it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._semaphore = threading.Semaphore(most)
        self._counting = threading.Lock()
        self._asked = 0

    def acquire(self) -> None:
        with self._counting:
            self._asked += 1
        self._semaphore.acquire()

    def release(self) -> None:
        self._semaphore.release()
        with self._counting:
            self._asked -= 1

    def use(self) -> SlotUse:
        asked = self._asked
        return SlotUse(self._most, min(asked, self._most), max(0, asked - self._most))


class Slots:
    """A WSGI application that lets ``most`` calls of another one work at once.

    A call that waits for its client's bytes gives its slot back meanwhile; its answer is written after the call.
    """

    def __init__(self, application: WSGIApplication, most: int) -> None:
        self._application = application
        self._free = _Free(most)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in PROBES:
            environ[USE] = self._free.use
            return self._application(environ, start_response)
        environ[_SLOTS] = self._free
        environ["wsgi.input"] = _SlotlessInput(environ["wsgi.input"], environ)
        asked = time.perf_counter()
        self._free.acquire()
        try:
            environ[WAITED] = time.perf_counter() - asked
            return self._application(environ, start_response)
        finally:
            self._free.release()


@contextmanager
def without_slot(environ: WSGIEnvironment) -> Iterator[None]:
    """Others may use the slot of this request while it only waits."""
    slots = environ.get(_SLOTS)
    if slots is None:
        yield
        return
    slots.release()
    try:
        yield
    finally:
        slots.acquire()


class _SlotlessInput:
    """A request's body; of what PEP 3333 asks for it has what gateway.bodies uses."""

    def __init__(self, stream: IO[bytes], environ: WSGIEnvironment) -> None:
        self._stream = stream
        self._environ = environ

    def read(self, size: int = -1) -> bytes:
        with without_slot(self._environ):
            return self._stream.read(size)
