"""Long series in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` items, the last one of the rest; nothing is taken before it is asked for."""
    # itertools.batched is Python 3.12's.
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
