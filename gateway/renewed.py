"""What is read from files, and read again when they change: users, certificates."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from havengate.errors import SettingsError

if TYPE_CHECKING:
    import logging
    from pathlib import Path

_LOOK_S = 1.0
ReadT = TypeVar("ReadT")


class Renewed(Generic[ReadT]):
    """What ``read`` gave, at most a second older than the files. Any thread; who asks meanwhile gets the former.

    Changed files that cannot be read leave it as it was; ``log`` is told so once, after the words ``stays``.
    """

    def __init__(
        self,
        files: Sequence[Path],
        read: Callable[[], ReadT],
        log: logging.Logger,
        stays: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises SettingsError as ``read`` does."""
        self._files = files
        self._read = read
        self._log = log
        self._stays = stays
        self._clock = clock
        self._looking = threading.Lock()
        self._looked = clock()
        self._marks = self._seen()
        self._value = read()
        self.problem = ""
        """Why the files that are there now are not in use."""

    def now(self) -> ReadT:
        if self._files and self._clock() - self._looked >= _LOOK_S and self._looking.acquire(blocking=False):
            try:
                self._look()
                self._looked = self._clock()
            finally:
                self._looking.release()
        return self._value

    def _look(self) -> None:
        marks = self._seen()
        # What could not be read for want of rights or a descriptor, or was not valid yet, may be a second later, and
        # looks the same.
        if marks == self._marks and not self.problem:
            return
        self._marks = marks
        try:
            self._value, self.problem = self._read(), ""
        except SettingsError as error:
            if error.message != self.problem:
                self._log.error("%s: %s", self._stays, error.message)
            self.problem = error.message

    def _seen(self) -> list[tuple[int, ...] | None]:
        return [_mark(path) for path in self._files]


def _mark(path: Path) -> tuple[int, ...] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    # The last one moves also where a program sets the first back.
    return seen.st_mtime_ns, seen.st_size, seen.st_ino, seen.st_ctime_ns
