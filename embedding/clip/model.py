"""A CLIP model: pictures and texts into one space, on the runtime of the settings."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from embedding.clip import preprocess
from embedding.clip.identity import fingerprint
from havengate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from PIL.Image import Image

    from embedding.clip.files import ClipFiles
    from embedding.clip.runtime import RuntimeSettings
    from embedding.clip.tokens import TextReader

    class Tower(Protocol):
        def __call__(self, *inputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]: ...


class ClipModel:
    """embedding.protocol.Model over two towers. Every method may be called from several threads."""

    def __init__(
        self, files: ClipFiles, runtime: RuntimeSettings, reader: TextReader, picture: Tower, text: Tower
    ) -> None:
        self.dimension = files.dimension
        self.fingerprint = fingerprint(files, runtime)
        self.recipe = preprocess.read_recipe(files.picture, files.preprocessing)
        self._precision = runtime.precision
        self._reader = reader
        self._picture = picture
        self._text = text

    def prepare(self, picture: Image) -> npt.NDArray[np.uint8]:
        return preprocess.prepare(self.recipe, picture)

    def embed_pictures(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return self._finite(self._picture(pixels))

    def embed_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for bucket in self._reader.buckets(texts):
            vectors[bucket.rows] = self._text(bucket.ids, bucket.mask)
        return self._finite(vectors)

    def _finite(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if not np.isfinite(vectors).all():
            raise ModelError(
                f"the model's numbers overflow in {self._precision}: choose another HAVENGATE_EMBEDDING__PRECISION"
            )
        return vectors


def load_clip(files: ClipFiles, runtime: RuntimeSettings) -> ClipModel:
    """Reads, checks and, for OpenVINO, converts once.

    Raises ModelError: a package or file is missing, a file is a pickle, shapes do not fit each other.
    """
    recipe = preprocess.read_recipe(files.picture, files.preprocessing)
    try:
        from embedding.clip.tokens import TextReader

        runtimes = import_module(f"embedding.clip.{runtime.kind}_runtime")
    except ModuleNotFoundError as error:
        raise ModelError(f"this model needs {error.name}: pip install 'havengate[clip]'") from error
    return ClipModel(files, runtime, TextReader(files), *runtimes.load_towers(files, recipe, runtime))
