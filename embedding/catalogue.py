"""Models by name: what is known of them without loading, and how they load."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING

from havengate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedding.entry import ModelEntry
    from embedding.protocol import Model
    from havengate.setting_groups import EmbeddingSettings
    from havengate.types import Fingerprint

BUILTIN = "builtin"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """``fingerprint`` takes milliseconds, ``load`` a second and more.

    Both raise ModelError with the command that helps where the model's weights are not here. ``runtime`` names what
    would run it here, as the second part of a fingerprint does, or what is missing for that.
    """

    entry: ModelEntry
    fingerprint: Callable[[], Fingerprint]
    load: Callable[[EmbeddingSettings], Model]
    runtime: Callable[[], str]

    @property
    def dimension(self) -> int:
        return self.entry.dimension


def find_card(name: str, settings: EmbeddingSettings) -> ModelCard:
    """The card of a model. Raises ModelError for a name that the catalogue does not have, listing those it has."""
    entry = find_entry(name, settings)
    return _builtin(entry) if entry.family == BUILTIN else _clip(entry, settings)


def find_entry(name: str, settings: EmbeddingSettings) -> ModelEntry:
    """What the catalogue says of a model. Raises ModelError."""
    entries = load_catalogue(settings)
    if name not in entries:
        raise ModelError(f"unknown model {name!r}; the catalogue has: {', '.join(entries)}")
    return entries[name]


def load_catalogue(settings: EmbeddingSettings) -> dict[str, ModelEntry]:
    """All entries by name: this version's, then those of ``models add``, then the user's file; a later one wins.

    Raises ModelError naming the file and key of what is wrong.
    """
    from embedding.entry_models import read_catalogue
    from embedding.weights.store import added_entries

    entries = read_catalogue(files("embedding").joinpath("models.json").read_bytes(), "embedding/models.json")
    given = added_entries(settings.models_dir)
    if settings.catalogue is not None:
        given |= read_catalogue(_content(settings.catalogue), settings.catalogue)
    if BUILTIN in given:
        raise ModelError(f"{settings.catalogue}: models: {BUILTIN} comes with the packages and has no other entry")
    return {name: _chosen(entry, settings) for name, entry in (entries | given).items()}


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError(f"HAVENGATE_EMBEDDING__CATALOGUE: {file}: {error.strerror}") from error


def _chosen(entry: ModelEntry, settings: EmbeddingSettings) -> ModelEntry:
    """The entry with the text tower and the revisions that the settings name."""
    if entry.picture is None:
        return entry
    key, revisions = settings.text_tower_map.get(entry.name, entry.text), settings.revision_map
    if key not in entry.texts:
        raise ModelError(
            f"HAVENGATE_EMBEDDING__TEXT_TOWERS: model {entry.name!r} has no text tower {key!r}; "
            f"it has: {', '.join(entry.texts)}"
        )
    picture, *texts = (
        replace(part, revision=revisions.get(part.repository, part.revision))
        for part in (entry.picture, *entry.texts.values())
    )
    return replace(entry, picture=picture, texts=dict(zip(entry.texts, texts, strict=True)), text=key)


def _builtin(entry: ModelEntry) -> ModelCard:
    from embedding.builtin import identity

    return ModelCard(entry, identity.fingerprint, _load_builtin, lambda: identity.fingerprint().numerics)


def _load_builtin(settings: EmbeddingSettings) -> Model:
    from embedding.builtin.model import BuiltinModel
    from embedding.cores import usable_cores

    threads = settings.threads or 1
    return BuiltinModel(threads, max(1, usable_cores() // threads))


def _clip(entry: ModelEntry, settings: EmbeddingSettings) -> ModelCard:
    from embedding.weights import card

    return ModelCard(
        entry,
        fingerprint=lambda: card.fingerprint(entry, settings),
        load=lambda given: card.load(entry, given),
        runtime=lambda: card.runtime(settings),
    )
