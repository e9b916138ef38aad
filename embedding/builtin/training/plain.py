"""The model without the network, to compare with: ConSE over ImageNet's classes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedding.builtin.class_vectors import load_class_vectors
from embedding.builtin.model import read_weights
from embedding.builtin.network import PictureTower, plain_graph
from embedding.builtin.texts import TextTower

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt


class PlainConse:
    """Two towers as BuiltinModel's, of 512 dimensions."""

    def __init__(self) -> None:
        classes = load_class_vectors()
        self._pictures = PictureTower(plain_graph(read_weights(), classes), threads=1)
        self._texts = TextTower(classes.mean, threads=1)

    def embed_pictures(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """uint8 [batch, 224, 224, 3] -> unit vectors."""
        return self._pictures(pixels)

    def embed_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Centred unit vectors."""
        return self._texts(texts)
