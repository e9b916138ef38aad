"""Vectors on demand: models loaded once, texts remembered, calls of many threads batched."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from embedding import catalogue
from embedding.crop.cropper import Cropper
from embedding.load import Load
from embedding.preparation import describe_preparation
from embedding.readiness import Readiness
from embedding.remote.runner import RemoteRunner
from embedding.remote.server import ModelServer
from embedding.runner import ModelRunner
from embedding.text_cache import TextCache
from havengate.errors import HavengateError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    from embedding.catalogue import ModelCard
    from embedding.protocol import Model
    from havengate.setting_groups import EmbeddingSettings
    from havengate.types import Fingerprint, Vector

    Loader = Callable[[EmbeddingSettings], Model]


class EmbeddingService:
    """Thread-safe. ``loaders`` stand in for models by name; all others are the catalogue's, or those of the server
    that ``settings.url`` names.

    Every method that takes a model raises ModelError for a name that this version cannot embed with, and when
    the model cannot be loaded; the next call tries to load it again. What embeds raises Overloaded where too much
    waits already, and ModelAway where there is a server that does not answer.
    """

    def __init__(self, settings: EmbeddingSettings, loaders: Mapping[str, Loader] | None = None) -> None:
        self._settings = settings
        self._loaders = dict(loaders or {})
        self._slots: dict[str, _Slot] = {}
        self._cards: dict[str, ModelCard] = {}
        self._fingerprints: dict[str, Fingerprint] = {}
        self._failures: dict[str, str] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._texts = TextCache(settings.text_cache)
        self._server = ModelServer(settings) if settings.url else None
        self._cropper = Cropper(settings.detector, settings.threads or 1)

    def fingerprint(self, model: str) -> Fingerprint:
        """What rows made with this model record. Loads nothing for a model of the catalogue."""
        if model in self._loaders or self._server is not None:
            return self._runner(model).fingerprint
        slot = self._slots.get(model)
        if slot is not None and slot.runner is not None:
            # Its files may have been replaced since: what is in memory makes the vectors.
            return slot.runner.fingerprint
        # Computing it reads and hashes files; every search asks for it.
        if model not in self._fingerprints:
            self._fingerprints[model] = self._card(model).fingerprint()
        return self._fingerprints[model]

    def dimension(self, model: str) -> int:
        """Length of the model's vectors. Loads nothing for a model of the catalogue."""
        if model in self._loaders or self._server is not None:
            return self._runner(model).dimension
        return self._card(model).dimension

    def embed_text(self, model: str, text: str) -> Vector:
        """One text -> read-only float32 [dimension] of unit length."""
        runner = self._runner(model)
        # A server may come back with another model of that name.
        made_with = f"{model} {runner.fingerprint.space}"
        vector = self._texts.get(made_with, text)
        if vector is None:
            (vector,) = runner.embed_texts([text])
            vector.setflags(write=False)
            self._texts.put(made_with, text, vector)
        return vector

    def embed_texts(self, model: str, texts: Iterable[str]) -> npt.NDArray[np.float32]:
        """Texts -> float32 [texts, dimension], rows of unit length. None is remembered."""
        return self._runner(model).embed_texts(texts)

    def embed_pictures(self, model: str, pictures: Sequence[Image]) -> npt.NDArray[np.float32]:
        """RGB pictures of any size -> float32 [pictures, dimension], rows of unit length in the same order."""
        runner = self._runner(model)
        return runner.embed_pixels(runner.prepare(picture) for picture in pictures)

    def crop_main_object(self, picture: Image) -> Image:
        """The square around a picture's main object, or its middle square without ``settings.detector``.

        Happens in this process also where the model does not. Raises ModelError where the detector cannot be used.
        """
        return self._cropper.crop_main_object(picture)

    def prepare(self, model: str, picture: Image) -> npt.NDArray[np.uint8]:
        """The small pixels of one picture, so that a caller with many need not hold them all at full size.

        Raises PictureError when the picture cannot be read.
        """
        return self._runner(model).prepare(picture)

    def embed_pixels(self, model: str, pixels: Iterable[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """What ``prepare`` gave -> float32 [pictures, dimension], rows of unit length in the same order."""
        return self._runner(model).embed_pixels(pixels)

    def preparation(self, model: str) -> dict[str, Any] | None:
        """What ``prepare`` does, for a gateway that has no weights (embedding.preparation)."""
        return describe_preparation(self._local(model).model)

    def warm_up(self, models: Iterable[str]) -> None:
        """Loads models now instead of at the first request; not those of a server, which has loaded its own.

        Tries all of them before it raises the error of one that cannot be loaded.
        """
        errors: list[HavengateError] = []
        for model in filter(self._is_here, models):
            try:
                self._local(model)
            except HavengateError as error:
                self._failures[model] = error.message
                errors.append(error)
        if errors:
            raise errors[0]

    def ready(self, models: Collection[str]) -> bool:
        """Whether each of these models is loaded and has run once, and the server that has it answers now."""
        return self.readiness(models).complete

    def readiness(self, models: Collection[str]) -> Readiness:
        """Which of these models are not ready, and why where a warm-up failed."""
        here = {model for model in models if self._is_here(model) and not self._is_loaded(model)}
        failed = {model: self._failures[model] for model in sorted(here & self._failures.keys())}
        waiting = frozenset(here - failed.keys())
        if self._server is None:
            return Readiness(waiting, failed)
        there = self._server.readiness(model for model in models if not self._is_here(model))
        return Readiness(waiting | there.waiting, failed | dict(there.failed), there.away)

    def load(self) -> Load:
        """What is asked of the models that are loaded here."""
        with self._lock:
            runners = {name: slot.runner for name, slot in self._slots.items() if slot.runner is not None}
        waiting = {(name, kind): number for name, runner in runners.items() for kind, number in runner.waiting.items()}
        return Load(waiting, *self._texts.uses)

    def close(self) -> None:
        """Answers what is under way and ends the threads; later calls raise ModelError."""
        with self._lock:
            self._closed, slots = True, list(self._slots.values())
        for slot in slots:
            slot.close()
        if self._server is not None:
            self._server.close()

    def _is_here(self, model: str) -> bool:
        return self._server is None or model in self._loaders

    def _is_loaded(self, model: str) -> bool:
        slot = self._slots.get(model)
        return slot is not None and slot.runner is not None

    def _card(self, model: str) -> ModelCard:
        # The catalogue is files, and every search asks for it.
        if model not in self._cards:
            self._cards[model] = catalogue.find_card(model, self._settings)
        return self._cards[model]

    def _runner(self, model: str) -> ModelRunner | RemoteRunner:
        if self._server is not None and model not in self._loaders:
            return RemoteRunner(self._server, self._server.card(model), self._settings.batch)
        return self._local(model)

    def _local(self, model: str) -> ModelRunner:
        load = self._loaders.get(model) or self._card(model).load
        with self._lock:
            if self._closed:
                raise ModelError(f"model {model!r}: the embedding service is closed")
            slot = self._slots.setdefault(model, _Slot())
        return slot.get(lambda: self._load(model, load))

    def _load(self, name: str, load: Loader) -> ModelRunner:
        try:
            runner = ModelRunner(name, load(self._settings), self._settings)
        except HavengateError:
            raise
        except Exception as error:
            raise ModelError(f"model {name!r} cannot be loaded: {error}") from error
        try:
            runner.warm_up()
        except BaseException:
            runner.close()
            raise
        return runner


class _Slot:
    """The place of one model: whoever comes first loads it, others wait."""

    def __init__(self) -> None:
        self.runner: ModelRunner | None = None
        self._lock = threading.Lock()
        self._closed = False

    def get(self, load: Callable[[], ModelRunner]) -> ModelRunner:
        if self.runner is not None:
            return self.runner
        with self._lock:
            if self._closed:
                raise ModelError("the embedding service is closed")
            if self.runner is None:
                self.runner = load()
            return self.runner

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self.runner is not None:
                self.runner.close()
