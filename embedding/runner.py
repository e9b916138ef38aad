"""One loaded model at work: a queue and a thread for each of its towers."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

from embedding.batcher import MicroBatcher
from havengate.errors import HavengateError, ModelError, PictureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    from embedding.protocol import Model
    from havengate.settings import EmbeddingSettings
    from havengate.types import Vector

    Pixels = npt.NDArray[np.uint8]

InputT = TypeVar("InputT")


class ModelRunner:
    """Batches calls into ``model``. Foreign exceptions of the model come out as ModelError naming it."""

    def __init__(self, name: str, model: Model, settings: EmbeddingSettings) -> None:
        self.model = model
        self._name = name
        self._size = size = settings.batch
        deadline_s = settings.deadline_ms / 1000
        texts: Callable[[Sequence[str]], Sequence[Vector]] = self._translating(model.embed_texts)
        pictures: Callable[[Sequence[Pixels]], Sequence[Vector]] = self._translating(self._run_pixels)
        self._texts = MicroBatcher(f"embed-texts-{name}", texts, size, deadline_s)
        self._pictures = MicroBatcher(f"embed-pictures-{name}", pictures, size, deadline_s)

    def embed_text(self, text: str) -> Vector:
        """One text -> read-only float32 [dimension]."""
        (future,) = self._texts.submit([text])
        # A row of the batch would keep the whole batch in memory for as long as it is remembered.
        vector = future.result().copy()
        vector.setflags(write=False)
        return vector

    def prepare(self, picture: Image) -> Pixels:
        """A picture -> pixels, in the caller's thread. Raises PictureError when it cannot be read."""
        try:
            return self.model.prepare(picture)
        except (OSError, ValueError) as error:
            raise PictureError(f"the picture cannot be read: {error}") from error

    def embed_pixels(self, pixels: Iterable[Pixels]) -> npt.NDArray[np.float32]:
        """Prepared pictures -> [pictures, dimension]. The model works on the first while the next is prepared.

        At most one batch of theirs is queued at a time, so that a caller with thousands takes little memory and
        lets a caller with one picture in between.
        """
        import numpy as np

        rows: list[Vector] = []
        queued: deque[Future[Vector]] = deque()
        for item in pixels:
            if len(queued) == self._size:
                rows.append(queued.popleft().result())
            queued += self._pictures.submit([item])
        rows += [future.result() for future in queued]
        return np.array(rows, np.float32).reshape(len(rows), self.model.dimension)

    def warm_up(self) -> None:
        """Runs each tower once: the first run allocates and compiles."""
        from PIL import Image

        self.embed_text("warm-up")
        self.embed_pixels([self.prepare(Image.new("RGB", (1, 1)))])

    def close(self) -> None:
        """Answers what was submitted, then ends both threads."""
        self._texts.close()
        self._pictures.close()

    def _run_pixels(self, pixels: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        import numpy as np

        return self.model.embed_pictures(np.stack(pixels))

    def _translating(
        self, tower: Callable[[Sequence[InputT]], npt.NDArray[np.float32]]
    ) -> Callable[[Sequence[InputT]], Sequence[Vector]]:
        def run(items: Sequence[InputT]) -> Sequence[Vector]:
            try:
                return list(tower(items))
            except HavengateError:
                raise
            except Exception as error:
                raise ModelError(f"model {self._name!r} cannot embed: {error}") from error

        return run
