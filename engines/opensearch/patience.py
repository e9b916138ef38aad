"""Reads that a node took with it when it went are asked again: the shards have copies elsewhere."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from opensearchpy import exceptions

from engines.opensearch.edge import Interrupted, cluster_error

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0

T = TypeVar("T")


def patiently(ask: Callable[[], T], patience_s: float) -> T:
    """What ``ask`` gives; asked again, with growing pauses, while it fails for reasons that pass by themselves."""
    deadline = time.monotonic() + patience_s
    waits = pauses()
    while True:
        try:
            return ask()
        except (exceptions.TransportError, Interrupted) as error:
            pause = next(waits)
            if not _passes(error) or time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)


def pauses() -> Iterator[float]:
    """Seconds, twice as many each time, never in step with another client's."""
    longest = _FIRST_PAUSE_S
    while True:
        yield random.uniform(longest / 2, longest)  # noqa: S311 - nothing secret
        longest = min(2 * longest, _LONGEST_PAUSE_S)


def _passes(error: exceptions.TransportError | Interrupted) -> bool:
    if isinstance(error, Interrupted):
        return True
    # Of connections the client has tried all nodes by now.
    is_answer = not isinstance(error, exceptions.ConnectionError)
    return is_answer and isinstance(cluster_error("", error.status_code, error.info), Interrupted)
