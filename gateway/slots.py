"""How many requests are worked on at once, whatever number of clients is slow to send or to take theirs."""

from __future__ import annotations

import threading
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PROBES = frozenset({"/healthz", "/readyz"})
"""Answered beside the slots: a busy gateway is not a dead one."""


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
        environ["wsgi.input"] = _SlotlessInput(environ["wsgi.input"], self._free)
        with self._free:
            return self._application(environ, start_response)


class _SlotlessInput:
    """A request's body; of what PEP 3333 asks for it has what gateway.bodies uses."""

    def __init__(self, stream: IO[bytes], slots: threading.Semaphore) -> None:
        self._stream = stream
        self._slots = slots

    def read(self, size: int = -1) -> bytes:
        self._slots.release()
        try:
            return self._stream.read(size)
        finally:
            self._slots.acquire()
