"""What a model is to the rest of the house: two towers into one space of unit vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from havengate.types import Fingerprint

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image


class Model(Protocol):
    """A loaded model. All methods may be called from several threads.

    One with an attribute ``lanes`` runs so many calls of ``embed_pictures`` at once, others one.
    """

    dimension: int
    fingerprint: Fingerprint

    def prepare(self, picture: Image) -> npt.NDArray[np.uint8]:
        """An RGB picture of any size -> pixels as the picture tower takes them, [height, width, 3]."""

    def embed_pictures(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """[batch, height, width, 3] -> [batch, dimension], each of unit length, whatever else is in the batch."""

    def embed_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Texts -> [batch, dimension], each of unit length."""
