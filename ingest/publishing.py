"""Entries of the change history on their way to where others look at them: in the background, until they arrive."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from havengate.errors import HavengateError, is_passing

_LOG = logging.getLogger(__name__)
_BATCH = 100
_PAUSE_S = 1.0
_AWAY_S = 30.0
_LAST_S = 5.0

Waiting = tuple[str, int, float, Mapping[str, object]]
"""An entry's key for others, its id, when it changed, its JSON."""


class Publisher:
    """One thread that hands over what is waiting; whoever writes an entry only wakes it, and never waits for it."""

    def __init__(
        self,
        waiting: Callable[[int, Mapping[int, float]], list[Waiting]],
        publish: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        """``waiting`` takes how many entries at most and those that have arrived: by id, when they had changed."""
        self._waiting = waiting
        self._publish = publish
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._told = False

    def wake(self) -> None:
        self._woken.set()
        with self._starting:
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._run, name="publish-changes", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Hands over what is left, within seconds."""
        self._ended.set()
        self._woken.set()
        with self._starting:
            thread = self._thread
        if thread is not None:
            thread.join(_LAST_S)

    def _run(self) -> None:
        last = False
        while not last:
            self._woken.wait()
            self._woken.clear()
            last = self._ended.is_set()
            arrived = self._drain()
            if not arrived:
                self._woken.set()
            # A job saves, and clients push, many times a second; the last state is enough.
            self._ended.wait(_PAUSE_S if arrived else _AWAY_S)

    def _drain(self) -> bool:
        """Whether all has arrived."""
        done: dict[int, float] = {}
        try:
            while batch := self._waiting(_BATCH, done):
                done = {}
                for key, number, changed, entry in batch:
                    self._hand_over(key, entry)
                    done[number] = changed
        except HavengateError as error:
            # It is tried for as long as the trouble lasts, which one line says well enough.
            if not self._told:
                _LOG.warning("the change history waits to be published: %s", error.message)
            self._told = True
        except Exception:  # noqa: BLE001  (a thread has nobody to raise to)
            _LOG.exception("the change history is not published")
        else:
            self._told = False
            return True
        return False

    def _hand_over(self, key: str, entry: Mapping[str, object]) -> None:
        """Raises HavengateError where trying again helps; one that is refused for good must not stop the others."""
        try:
            self._publish(key, entry)
        except HavengateError as error:
            if is_passing(error):
                raise
            _LOG.warning("entry %s of the change history is not published: %s", key, error.message)
