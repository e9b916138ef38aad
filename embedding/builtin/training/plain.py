"""The model without the network, to compare with: ConSE over ImageNet's classes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedding.builtin.class_vectors import load_class_vectors
from embedding.builtin.model import read_weights
from embedding.builtin.network import PictureTower, feature_graph
from embedding.builtin.texts import TextTower, normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


class PlainConse:
    """Two towers as BuiltinModel's, of 512 dimensions."""

    def __init__(self) -> None:
        self._weights, classes = read_weights(), load_class_vectors()
        self._features = PictureTower(feature_graph(self._weights), threads=1)
        self._vectors = classes.vectors
        self._texts = TextTower(classes.mean, threads=1)

    def embed_pictures(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """uint8 [batch, 224, 224, 3] -> unit vectors: normalise(probabilities @ class vectors)."""
        logits = self._features(pixels) @ self._weights["_fc.weight"].T + self._weights["_fc.bias"]
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return normalise(odds @ self._vectors)

    def embed_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Centred unit vectors."""
        return self._texts(texts)
