"""How many requests are worked on at once, whatever number of clients is slow to send or to take theirs."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PROBES = frozenset({"/healthz", "/readyz"})
"""Answered beside the slots: a busy gateway is not a dead one."""
_SLOTS = "havengate.slots"


class Slots:
    """A WSGI application that lets ``most`` calls of another one work at once.

    A call that waits for its client's bytes gives its slot back meanwhile; its answer is written after the call.
    """

    def __init__(self, application: WSGIApplication, most: int) -> None:
        self._application = application
        self._free = threading.Semaphore(most)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in PROBES:
            return self._application(environ, start_response)
        environ[_SLOTS] = self._free
        environ["wsgi.input"] = _SlotlessInput(environ["wsgi.input"], environ)
        with self._free:
            return self._application(environ, start_response)


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
