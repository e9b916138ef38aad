"""Micro-batches: calls that arrive together go through a model together."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

from havengate.errors import ModelError, Overloaded
from havengate.request_id import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from havengate.types import Vector

ItemT = TypeVar("ItemT")
_LOG = logging.getLogger(__name__)


class MicroBatcher(Generic[ItemT]):
    """``threads`` that run batches of at most ``size`` items in the order of their arrival.

    The first item of a batch waits up to ``deadline_s`` for as many as came last time; so a lone caller never
    waits, and callers who come back together stay together. An item that fails costs its own caller an error:
    the rest of its batch is run again, one by one. At most ``most`` items wait.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[Sequence[ItemT]], Sequence[Vector]],
        size: int,
        deadline_s: float,
        most: int,
        *,
        threads: int = 1,
    ) -> None:
        self._name = name
        self._most = most
        self._run = run
        self._size = size
        self._deadline_s = deadline_s
        self._queue: deque[tuple[ItemT, Future[Vector], float, str]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._expected = 1
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def submit(self, items: Sequence[ItemT]) -> list[Future[Vector]]:
        """One future per item; one that is cancelled in time gives its place back and never runs.

        Raises Overloaded where they would be too many with those that wait, and ModelError once closed; then none of
        them is taken.
        """
        arrival, request_id = time.monotonic(), REQUEST_ID.get()
        futures: list[Future[Vector]] = [Future() for _ in items]
        with self._changed:
            if self._closed:
                raise ModelError("the model is being closed")
            self._make_room(len(items))
            self._queue.extend((item, future, arrival, request_id) for item, future in zip(items, futures, strict=True))
            self._changed.notify()
        return futures

    def _make_room(self, items: int) -> None:
        if len(self._queue) + items <= self._most:
            return
        self._queue = deque(waiting for waiting in self._queue if not waiting[1].cancelled())
        if len(self._queue) + items > self._most:
            raise Overloaded(f"{self._name}: {len(self._queue)} are waiting, the most is {self._most}; try again later")

    def close(self) -> None:
        """Answers what was submitted, then ends the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            if batch:
                self._run_batch(batch)

    def _run_batch(self, batch: list[tuple[ItemT, Future[Vector]]]) -> None:
        _LOG.debug("%s: a batch of %d", self._name, len(batch))
        try:
            answers = list(zip(batch, self._run([item for item, _ in batch]), strict=True))
        except Exception as error:  # noqa: BLE001 -- whatever it is, it belongs to the callers
            self._run_alone(batch, error)
            return
        for (_, future), vector in answers:
            future.set_result(vector)

    def _next_batch(self) -> list[tuple[ItemT, Future[Vector]]] | None:
        """The oldest items, without those that their callers gave up; None means closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            if not self._queue:
                return None
            left = self._queue[0][2] + self._deadline_s - time.monotonic()
            self._changed.wait_for(lambda: len(self._queue) >= self._expected or self._closed, max(0.0, left))
            self._expected = min(self._size, max(1, len(self._queue)))
            taken = [self._queue.popleft() for _ in range(min(self._size, len(self._queue)))]
            if self._queue:
                # Who queued them woke one thread only.
                self._changed.notify()
        # What is logged meanwhile belongs to all of them.
        REQUEST_ID.set(",".join(dict.fromkeys(request_id for *_, request_id in taken if request_id)))
        # A caller cannot cancel what is about to run.
        return [(item, future) for item, future, *_ in taken if future.set_running_or_notify_cancel()]

    def _run_alone(self, batch: list[tuple[ItemT, Future[Vector]]], error: Exception) -> None:
        if len(batch) == 1:
            batch[0][1].set_exception(error)
            return
        for item, future in batch:
            try:
                future.set_result(self._run([item])[0])
            except Exception as own_error:  # noqa: BLE001 -- as above
                future.set_exception(own_error)
