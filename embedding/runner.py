"""One loaded model at work: a queue for each of its towers, and a thread for each batch that a tower runs at once."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from embedding.batcher import MicroBatcher
from havengate.errors import HavengateError, ModelError, Overloaded, PictureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    from embedding.protocol import Model
    from havengate.setting_groups import EmbeddingSettings
    from havengate.types import Fingerprint, Vector

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
        self._timeout_s = settings.timeout_s
        self._texts = MicroBatcher(f"embed-texts-{name}", texts, size, deadline_s, settings.queue)
        self._pictures = MicroBatcher(
            f"embed-pictures-{name}", pictures, size, deadline_s, settings.queue, threads=getattr(model, "lanes", 1)
        )

    @property
    def fingerprint(self) -> Fingerprint:
        return self.model.fingerprint

    @property
    def dimension(self) -> int:
        return self.model.dimension

    @property
    def waiting(self) -> dict[str, int]:
        """How many texts and pictures are queued."""
        return {"texts": self._texts.waiting, "pictures": self._pictures.waiting}

    def embed_texts(self, texts: Iterable[str]) -> npt.NDArray[np.float32]:
        """Texts -> [texts, dimension]. Raises as ``embed_pixels``."""
        return self._through(self._texts, texts)

    def prepare(self, picture: Image) -> Pixels:
        """A picture -> pixels, in the caller's thread. Raises PictureError when it cannot be read."""
        return prepared(self.model.prepare, picture)

    def embed_pixels(self, pixels: Iterable[Pixels]) -> npt.NDArray[np.float32]:
        """Prepared pictures -> [pictures, dimension]. The model works on the first while the next is prepared.

        At most one batch of theirs is queued at a time, so that a caller with thousands takes little memory and
        lets a caller with one picture in between. Raises Overloaded where not even one can wait.
        """
        return self._through(self._pictures, pixels)

    def _through(self, batcher: MicroBatcher[InputT], items: Iterable[InputT]) -> npt.NDArray[np.float32]:
        import numpy as np

        rows: list[Vector] = []
        queued: deque[Future[Vector]] = deque()
        with _giving_up(queued):
            for item in items:
                while not self._queued(batcher, item, queued):
                    rows.append(self._result(queued.popleft()))
            while queued:
                rows.append(self._result(queued.popleft()))
        return np.array(rows, np.float32).reshape(len(rows), self.dimension)

    def _queued(self, batcher: MicroBatcher[InputT], item: InputT, queued: deque[Future[Vector]]) -> bool:
        """Queues one item; not while its caller has to take a result first."""
        if len(queued) == self._size:
            return False
        try:
            queued += batcher.submit([item])
        except Overloaded:
            # Who has some in the queue waits for them; who has none is turned away.
            if not queued:
                raise
            return False
        return True

    def _result(self, future: Future[Vector]) -> Vector:
        try:
            return future.result(self._timeout_s)
        except TimeoutError as error:
            # A model may raise one, too.
            if future.done():
                raise
            future.cancel()
            raise Overloaded(
                f"model {self._name!r} gave no vector in {self._timeout_s:g} s; try again later"
            ) from error

    def warm_up(self) -> None:
        """Runs each tower once: the first run allocates and compiles."""
        from PIL import Image

        self.embed_texts(["warm-up"])
        self.embed_pixels([self.prepare(Image.new("RGB", (1, 1)))])

    def close(self) -> None:
        """Answers what was submitted, then ends the threads."""
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


@contextmanager
def _giving_up(queued: Iterable[Future[Vector]]) -> Iterator[None]:
    """What is still queued when its caller fails gives its place to others."""
    try:
        yield
    except BaseException:
        for future in queued:
            future.cancel()
        raise


def prepared(prepare: Callable[[Image], Pixels], picture: Image) -> Pixels:
    """What ``prepare`` makes of a picture. Raises PictureError when the picture cannot be read."""
    try:
        return prepare(picture)
    except (OSError, ValueError) as error:
        raise PictureError(f"the picture cannot be read: {error}") from error
