"""Query texts come back: the last ones keep their vectors."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from havengate.types import Vector


class TextCache:
    """Least recently used (what it is made with, text) pairs, at most ``size``. Thread-safe."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._vectors: OrderedDict[tuple[str, str], Vector] = OrderedDict()
        self._lock = threading.Lock()
        self._hits = self._misses = 0

    @property
    def uses(self) -> tuple[int, int]:
        """How often ``get`` gave a vector, and None."""
        with self._lock:
            return self._hits, self._misses

    def get(self, made_with: str, text: str) -> Vector | None:
        """The vector that was put, or None."""
        with self._lock:
            vector = self._vectors.get((made_with, text))
            if vector is None:
                self._misses += 1
            else:
                self._hits += 1
                self._vectors.move_to_end((made_with, text))
            return vector

    def put(self, made_with: str, text: str, vector: Vector) -> None:
        """Remembers a vector and forgets the one that was not used for longest."""
        with self._lock:
            self._vectors[made_with, text] = vector
            self._vectors.move_to_end((made_with, text))
            if len(self._vectors) > self._size:
                self._vectors.popitem(last=False)
