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

_STEPS, _SCALE, _STAYING = 200, 20.0, 8.0
_WORDS_ALONE = 11
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
    worn = sum(len(texts) for languages in phrasings[len(concepts) :] for texts in languages)
    means[len(concepts) :] = separated(np.stack(means[len(concepts) :]), rows[-worn:], phrasings[len(concepts) :])
    return TextVectors(np.stack(means), main_axes(np.concatenate([rows, classes]), SPLIT))


def separated(means: Vectors, rows: Vectors, phrasings: Sequence[Sequence[Sequence[str]]]) -> Vectors:
    """Clothes moved a little apart, so that each phrasing (``rows``, in order) is nearest to its own class.

    "T-shirt" lies nearer to the mean of the shirts' phrasings than to that of its own, for one. Every class and
    language weighs the same; words alone, without a template around them, weigh most.
    """
    labels, weights, alone = [], [], _words_alone()
    for number, languages in enumerate(phrasings):
        for texts in languages:
            emphasis = np.array([_WORDS_ALONE if text in alone else 1 for text in texts], np.float32)
            labels += [number] * len(texts)
            weights += list(emphasis / emphasis.sum())
    return _apart(means, rows, np.array(labels), np.array(weights, dtype=np.float32))


def _apart(means: Vectors, rows: Vectors, labels: npt.NDArray[np.int64], weights: npt.NDArray[np.float32]) -> Vectors:
    import torch
    from torch.nn import functional

    start, texts, share = torch.from_numpy(means), torch.from_numpy(rows), torch.from_numpy(weights / weights.sum())
    moved = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([moved], 1e-2)
    for _ in range(_STEPS):
        unit = functional.normalize(moved)
        wrong = functional.cross_entropy(_SCALE * texts @ unit.T, torch.from_numpy(labels), reduction="none")
        loss = (wrong * share).sum() + _STAYING * ((unit - start) ** 2).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return normalise(moved.detach().numpy())


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


def _words_alone() -> frozenset[str]:
    given = json.loads(_PHRASINGS.read_text(encoding="utf-8"))["words"].values()
    return frozenset(word for words in given for its in words.values() for word in its)


def main_axes(rows: Vectors, count: int) -> Vectors:
    """The first right singular vectors as columns, [dimensions, count]."""
    # The Gram matrix has the same right singular vectors and is small however many rows there are.
    _, vectors = np.linalg.eigh(rows.T.astype(np.float64) @ rows)
    axes: Vectors = np.ascontiguousarray(vectors[:, ::-1][:, :count], dtype=np.float32)
    return axes
