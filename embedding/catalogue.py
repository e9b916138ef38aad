"""The models of this version by name: what is known of them without loading, and how they load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from havengate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedding.protocol import Model
    from havengate.settings import EmbeddingSettings
    from havengate.types import Fingerprint

BUILTIN = "builtin"
MODELS = (BUILTIN,)
LATER_MODELS = ("clip", "clip_ecom")
"""The vendor's other model names. Schemas may name them; this version cannot embed with them."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """``fingerprint`` takes milliseconds, ``load`` a second and more."""

    dimension: int
    fingerprint: Callable[[], Fingerprint]
    load: Callable[[EmbeddingSettings], Model]


def find_card(name: str) -> ModelCard:
    """The card of a model. Raises ModelError for a name that is unknown or not in this version."""
    if name == BUILTIN:
        return _builtin()
    if name in LATER_MODELS:
        raise ModelError(f"model {name!r} is not in this version yet; use {BUILTIN!r}")
    raise ModelError(f"unknown model {name!r}; models of this version: {', '.join(MODELS)}")


def _builtin() -> ModelCard:
    from embedding.builtin import class_vectors, identity

    return ModelCard(class_vectors.DIMENSION, identity.fingerprint, _load_builtin)


def _load_builtin(settings: EmbeddingSettings) -> Model:
    from embedding.builtin.model import BuiltinModel

    return BuiltinModel(settings.threads)
