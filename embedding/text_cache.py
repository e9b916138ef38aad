"""Query texts come back: the last ones keep their vectors."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from havengate.types import Vector


class TextCache:
    """Least recently used (model, text) pairs, at most ``size``. Thread-safe."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._vectors: OrderedDict[tuple[str, str], Vector] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, model: str, text: str) -> Vector | None:
        """The vector that was put, or None."""
        with self._lock:
            vector = self._vectors.get((model, text))
            if vector is not None:
                self._vectors.move_to_end((model, text))
            return vector

    def put(self, model: str, text: str, vector: Vector) -> None:
        """Remembers a vector and forgets the one that was not used for longest."""
        with self._lock:
            self._vectors[model, text] = vector
            self._vectors.move_to_end((model, text))
            if len(self._vectors) > self._size:
                self._vectors.popitem(last=False)
