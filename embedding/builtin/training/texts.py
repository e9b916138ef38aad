"""Stage 5: what the concepts are called, as vectors among the texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embedding.builtin.concepts import SPLIT
from embedding.builtin.texts import normalise
from embedding.builtin.training.clothes import CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from embedding.builtin.training.drawings import Concept, Words

    Vectors = npt.NDArray[np.float32]
    Embed = Callable[[Sequence[str]], Vectors]

_PHRASINGS = Path(__file__).with_name("clothing_phrasings.json")


@dataclass(frozen=True, slots=True)
class TextVectors:
    """``concepts`` [emoji, then clothes; 512] and ``axes`` [512, 384] on which all texts are laid."""

    concepts: Vectors
    axes: Vectors


def text_vectors(embed: Embed, concepts: Sequence[Concept], classes: Vectors) -> TextVectors:
    """Each concept at the mean of its phrasings, both languages weighing the same.

    The axes are the main directions of all phrasings and of ImageNet's classes (``classes``, [1000, 512]).
    """
    phrasings = [(phrasings_of(c.english), phrasings_of(c.chinese)) for c in concepts]
    clothes = clothing_phrasings()
    phrasings += [(clothes[kind]["en"], clothes[kind]["zh"]) for kind in CLASSES]
    rows = embed([text for languages in phrasings for texts in languages for text in texts])
    means, at = [], 0
    for languages in phrasings:
        centres = []
        for texts in languages:
            centres.append(normalise(rows[at : at + len(texts)].mean(axis=0)))
            at += len(texts)
        means.append(normalise(np.mean(centres, axis=0)))
    return TextVectors(np.stack(means), main_axes(np.concatenate([rows, classes]), SPLIT))


def phrasings_of(words: Words) -> list[str]:
    """The label twice, since it is what people type first; with four tags; three tags alone."""
    label, tags = words.label, [tag for tag in words.tags if tag != words.label]
    return [label, label, *([", ".join([label, *tags[:4]]), ", ".join(tags[:3])] if tags else [])]


def clothing_phrasings() -> dict[str, dict[str, list[str]]]:
    """Class -> language -> phrasings used in training: every word of the class in every template."""
    given = json.loads(_PHRASINGS.read_text(encoding="utf-8"))
    return {
        kind: {
            language: [template.format(word) for word in its for template in given["templates"][language]]
            for language, its in words.items()
        }
        for kind, words in given["words"].items()
    }


def main_axes(rows: Vectors, count: int) -> Vectors:
    """The first right singular vectors as columns, [dimensions, count]."""
    # The Gram matrix has the same right singular vectors and is small however many rows there are.
    _, vectors = np.linalg.eigh(rows.T.astype(np.float64) @ rows)
    axes: Vectors = np.ascontiguousarray(vectors[:, ::-1][:, :count], dtype=np.float32)
    return axes
