"""What is known of a model before any of its files are here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Literal

Family = Literal["builtin", "clip"]
TextKind = Literal["clip", "multilingual"]

PICTURE = "picture"
_SHARED = (
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
)
CLIP_FILES = (*_SHARED, "vocab.json", "merges.txt", "preprocessor_config.json", "processor_config.json")
"""Files of a CLIP repository that are taken where there are such: both towers, tokenizer, preprocessing."""
MULTILINGUAL_FILES = (
    *_SHARED,
    "vocab.txt",
    "modules.json",
    "sentence_bert_config.json",
    "*_Pooling/config.json",
    "*_Dense/config.json",
    "*_Dense/model.safetensors",
)
"""The same of a sentence-transformers repository: DistilBERT, mean pooling, a dense layer."""
FILES: Mapping[TextKind, tuple[str, ...]] = MappingProxyType({"clip": CLIP_FILES, "multilingual": MULTILINGUAL_FILES})


@dataclass(frozen=True, slots=True)
class Part:
    """A repository of the hub, ``owner/name``, at a branch, tag, commit or ``refs/pr/N``.

    ``kind`` says which files it needs; the picture tower's repository is a CLIP repository.
    """

    repository: str
    revision: str = "main"
    kind: TextKind = "clip"

    def takes(self, name: str) -> bool:
        """Whether a file of the repository is one that the model is made of. A pickle never is, nor a way out of it."""
        return ".." not in name.split("/") and any(fnmatchcase(name, pattern) for pattern in FILES[self.kind])


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Stands in for a repository's preprocessor_config.json: square side in pixels, mean and deviation by channel."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model of the catalogue.

    ``texts`` are text towers of the picture tower's space by key, ``text`` the key of the one in use. ``builtin`` has
    neither picture nor texts: it comes with the packages.
    """

    name: str
    family: Family
    dimension: int
    licence: str
    picture: Part | None = None
    texts: Mapping[str, Part] = field(default_factory=dict)
    text: str = ""
    preprocessing: Preprocessing | None = None
    local: bool = False
    """Added from a folder: there is nothing to pull."""

    @property
    def parts(self) -> dict[str, Part]:
        """What has to be here, by the name of its folder. A text tower in the picture's repository needs none."""
        if self.picture is None:
            return {}
        parts, text = {PICTURE: self.picture}, self.texts[self.text]
        if text != self.picture:
            parts[self.text_folder] = text
        return parts

    @property
    def text_folder(self) -> str:
        """Name of the folder that holds the text tower in use."""
        return PICTURE if self.texts[self.text] == self.picture else f"text-{self.text}"
