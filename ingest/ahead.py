"""Batches read ahead of their use and prepared in threads, given out in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator

BatchT = TypeVar("BatchT")
ReadyT = TypeVar("ReadyT")

MOST = 256 << 20
_LOOK_S = 1.0
_LEAVE_S = 5.0


def in_order(
    batches: Iterator[BatchT],
    prepare: Callable[[BatchT], ReadyT],
    weight: Callable[[BatchT], int],
    workers: int,
    leaving: threading.Event,
) -> Generator[ReadyT | None]:
    """What ``prepare`` makes of each batch, in order; None about every second in which nothing is ready.

    One thread reads, ``workers`` prepare, and at most twice as many batches are out, fewer where together they have
    more than ``MOST`` bytes by ``weight``. An error of either comes when
    all before it has been given out. Whoever closes the generator early sets ``leaving`` by it, so that what is under
    way can be short; it is waited for a few seconds only.
    """
    reader, pool = ThreadPoolExecutor(1, "ingest-read"), ThreadPoolExecutor(workers, "ingest-prepare")
    ahead: deque[tuple[Future[Any], int]] = deque()
    reading: Future[BatchT | None] | None = reader.submit(next, batches, None)
    try:
        while reading or ahead:
            room = len(ahead) < 2 * workers and (not ahead or sum(size for _, size in ahead) < MOST)
            expected = reading if room else None
            head = ahead[0][0] if ahead else None
            wait([each for each in (expected, head) if each], _LOOK_S, FIRST_COMPLETED)
            if expected and expected.done():
                reading = None
                if expected.exception():
                    ahead.append((expected, 0))
                elif (batch := expected.result()) is not None:
                    ahead.append((pool.submit(copy_context().run, prepare, batch), weight(batch)))
                    reading = reader.submit(next, batches, None)
            elif head and head.done():
                ahead.popleft()
                yield head.result()
            else:
                yield None
    finally:
        leaving.set()
        pool.shutdown(wait=False, cancel_futures=True)
        reader.shutdown(wait=False, cancel_futures=True)
        # One that was cancelled in the queue is never told so.
        wait([each for each in (*(out for out, _ in ahead), reading) if each and not each.cancelled()], _LEAVE_S)
