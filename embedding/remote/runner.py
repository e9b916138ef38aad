"""A model on another machine, as if it were one of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedding.preparation import preparation_from
from embedding.runner import prepared
from havengate.chunks import chunks

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    from embedding.remote.server import ModelServer, RemoteCard
    from havengate.types import Fingerprint

    Pixels = npt.NDArray[np.uint8]


class RemoteRunner:
    """What embedding.runner.ModelRunner is to a model that is here. Costs nothing to make.

    Pictures are prepared here, in the caller's thread: 150 kB of pixels go to the server instead of megabytes of
    picture, and several gateways share the decoding.
    """

    def __init__(self, server: ModelServer, card: RemoteCard, size: int) -> None:
        self._server = server
        self._card = card
        self._size = size

    @property
    def fingerprint(self) -> Fingerprint:
        return self._card.fingerprint

    @property
    def dimension(self) -> int:
        return self._card.dimension

    def embed_texts(self, texts: Iterable[str]) -> npt.NDArray[np.float32]:
        """Texts -> [texts, dimension]. Raises Overloaded, ModelAway."""
        return self._joined(self._server.embed_texts(self._card, chunk) for chunk in chunks(texts, self._size))

    def prepare(self, picture: Image) -> Pixels:
        """A picture -> pixels. Raises PictureError when it cannot be read."""
        return prepared(preparation_from(self._card.preparation), picture)

    def embed_pixels(self, pixels: Iterable[Pixels]) -> npt.NDArray[np.float32]:
        """Prepared pictures -> [pictures, dimension], one batch after the other. Raises Overloaded, ModelAway."""
        import numpy as np

        return self._joined(
            self._server.embed_pixels(self._card, np.stack(chunk)) for chunk in chunks(pixels, self._size)
        )

    def _joined(self, parts: Iterable[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        import numpy as np

        return np.concatenate([np.empty((0, self.dimension), np.float32), *parts])
