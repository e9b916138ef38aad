"""Keys of which two generations are compared: as if drawn by chance, and the same ones every time."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable

SIZE = 100


class Sample:
    """Of all the keys that it sees, those whose hashes are smallest: it can be put away and gone on with."""

    def __init__(self, taken: object) -> None:
        self.taken: list[str] = []
        self.see(str(pk) for pk in (taken if isinstance(taken, list) else ()))

    def see(self, keys: Iterable[str]) -> None:
        # A set: who goes on after a kill sees some keys twice.
        self.taken = heapq.nsmallest(SIZE, {*self.taken, *keys}, key=_hash)


def _hash(pk: str) -> bytes:
    return hashlib.sha256(pk.encode()).digest()
