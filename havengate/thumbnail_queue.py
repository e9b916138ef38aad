"""What keeps thumbnails cheap: those that were made, contents that are known, and who may make how many at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Generic, TypeVar

from embedding.cores import usable_cores
from havengate.errors import Overloaded

_BESIDE = 512
"""Bytes that an entry takes beside its value, about."""
_WORKS = 4
_CROWDED = "too many pictures are being made; try again"
ValueT = TypeVar("ValueT")


class Kept(Generic[ValueT]):
    """Values up to so many bytes together; those that nobody asked for longest go. Any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._guard = threading.Lock()
        self._values = OrderedDict[Hashable, tuple[ValueT, int]]()

    def get(self, key: Hashable) -> ValueT | None:
        with self._guard:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: ValueT, size: int) -> None:
        """``size`` in bytes; what is larger than all of it is not kept."""
        size += _BESIDE
        with self._guard:
            if key in self._values or size > self._most:
                return
            self._values[key] = value, size
            self._bytes += size
            while self._bytes > self._most:
                self._bytes -= self._values.popitem(last=False)[1][1]


class Remembered:
    """Hashes of contents by where they were found, each for a time or for good; the oldest go. Any thread."""

    def __init__(self, now: Callable[[], float], most: int = 10_000) -> None:
        self._now = now
        self._most = most
        self._guard = threading.Lock()
        self._contents = OrderedDict[bytes, tuple[str, float | None]]()

    def get(self, place: bytes) -> str | None:
        with self._guard:
            content, until = self._contents.get(place, (None, None))
            if until is not None and until <= self._now():
                del self._contents[place]
                return None
            return content

    def put(self, place: bytes, content: str, seconds: float | None) -> None:
        with self._guard:
            self._contents[place] = content, None if seconds is None else self._now() + seconds
            self._contents.move_to_end(place)
            if len(self._contents) > self._most:
                self._contents.popitem(last=False)


class Workshop(Generic[ValueT]):
    """Of a page of a hundred pictures a few are worked on at once, so that searches go on beside them.

    ``most`` callers may be in it, the waiting ones included: others are told to come again at once, and those whose
    turn has not come after ``wait_s`` seconds then.
    """

    def __init__(self, most: int, wait_s: float = 10.0) -> None:
        self._most = most
        self._wait_s = wait_s
        self._inside = 0
        self._guard = threading.Lock()
        self._running: dict[Hashable, Future[ValueT]] = {}
        # A picture is in memory from its first byte read on, so that this bounds both.
        self._works = threading.Semaphore(_WORKS)
        self._decodes = threading.Semaphore(max(1, usable_cores() // 2))

    def shared(self, what: Hashable, make: Callable[[], ValueT]) -> ValueT:
        """What ``make`` returns or raises, one at a time for all who ask for the same. Raises Overloaded."""
        with self._entered():
            with self._guard:
                others = self._running.get(what)
                mine = self._running.setdefault(what, Future())
            if others is not None:
                return self._awaited(others)
            try:
                mine.set_result(make())
            except BaseException as error:
                mine.set_exception(error)
                raise
            finally:
                with self._guard:
                    del self._running[what]
            return mine.result()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around all of one picture's work. Raises Overloaded."""
        with self._turn(self._works):
            yield

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """Around what keeps a core busy: half of the cores are left. Raises Overloaded."""
        with self._turn(self._decodes):
            yield

    @contextmanager
    def _entered(self) -> Iterator[None]:
        with self._guard:
            if self._inside >= self._most:
                raise Overloaded(_CROWDED)
            self._inside += 1
        try:
            yield
        finally:
            with self._guard:
                self._inside -= 1

    @contextmanager
    def _turn(self, semaphore: threading.Semaphore) -> Iterator[None]:
        if not semaphore.acquire(timeout=self._wait_s):
            raise Overloaded(_CROWDED)
        try:
            yield
        finally:
            semaphore.release()

    def _awaited(self, others: Future[ValueT]) -> ValueT:
        try:
            return others.result(self._wait_s)
        except TimeoutError as error:
            raise Overloaded(_CROWDED) from error
