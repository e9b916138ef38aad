"""A CLIP model of the catalogue as the rest of the house asks for it: fingerprint without loading, and loading."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from embedding.entry import PICTURE
from embedding.weights.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedding.clip.files import ClipFiles
    from embedding.entry import ModelEntry
    from embedding.protocol import Model
    from embedding.weights.lock import LockedPart
    from havengate.setting_groups import EmbeddingSettings
    from havengate.types import Fingerprint

_PACKAGES = ("tokenizers", "torch", "transformers")


def fingerprint(entry: ModelEntry, settings: EmbeddingSettings) -> Fingerprint:
    """Reads lock.json and the preprocessing. Raises ModelError with the command where the weights are not here."""
    files = clip_files(entry, settings)
    from embedding.clip.identity import fingerprint as of_files
    from embedding.clip.runtime import resolve

    return of_files(files, resolve(settings))


def load(entry: ModelEntry, settings: EmbeddingSettings) -> Model:
    """Raises ModelError with the command where the weights, or the packages that run them, are not here."""
    files = clip_files(entry, settings)
    from embedding.clip.model import load_clip
    from embedding.clip.runtime import resolve

    return load_clip(files, resolve(settings))


def convert(entry: ModelEntry, settings: EmbeddingSettings, say: Callable[[str], object]) -> None:
    """Makes the graphs of OpenVINO now, where it would run the model here, so that no server does at its start.

    ``say`` gets the name of each tower that is converted. Raises ModelError for files that are no such model.
    """
    from embedding.clip.runtime import resolve

    if _packages_missing() or resolve(settings).kind != "openvino":
        return
    files = clip_files(entry, settings)
    from embedding.clip.converted import converted
    from embedding.clip.preprocess import read_recipe

    converted(files, read_recipe(files.picture, files.preprocessing), say)


def runtime(settings: EmbeddingSettings) -> str:
    """What would run a CLIP model here, or which packages are missing. Raises ModelError for settings that clash."""
    from embedding.clip.runtime import resolve

    if _packages_missing():
        return "none: pip install 'havengate[clip]'"
    return resolve(settings).numerics


def _packages_missing() -> bool:
    return any(find_spec(package) is None for package in _PACKAGES)


def clip_files(entry: ModelEntry, settings: EmbeddingSettings) -> ClipFiles:
    """The folders of a model that is ready, and what its weights are known by. Raises ModelError."""
    store = open_store(settings.models_dir, entry)
    parts, text = store.require_lock().parts, entry.texts[entry.text]
    from embedding.clip.files import ClipFiles

    return ClipFiles(
        picture=store.part_folder(PICTURE),
        text=store.part_folder(entry.text_folder),
        text_kind=text.kind,
        dimension=entry.dimension,
        picture_source=_source(parts[PICTURE]),
        text_source=_source(parts[entry.text_folder]),
        cache=store.converted,
        space_texts=tuple(part.repository for part in entry.texts.values()),
        preprocessing=entry.preprocessing,
    )


def _source(part: LockedPart) -> str:
    """By content, not by commit: the same weights from a hub, a mirror or a folder are one space."""
    return f"{part.repository}#{part.content}"
