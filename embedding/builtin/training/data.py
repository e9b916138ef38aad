"""Stages 1 to 4 in order: everything that training reads, kept in the work folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedding.builtin.training.augment import generator
from embedding.builtin.training.clothes import CLASSES, photos
from embedding.builtin.training.drawings import read_concepts, read_drawings, read_unseen
from embedding.builtin.training.features import Sample, extract
from embedding.builtin.training.render import picture_path, render_all
from embedding.builtin.training.sources import DRAWINGS, LABELS, UNSEEN_DRAWINGS, fetch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt
    from numpy import bool_, float32, int64

    from embedding.builtin.training.drawings import Concept, Drawing

SEED = 1
VARIANTS = 5
"""Augmented pictures of each drawing and photo, beside the picture itself."""


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """``rows`` [pictures, 1280]; ``labels`` index concepts or clothing classes; ``clean`` marks unaugmented rows."""

    rows: npt.NDArray[float32]
    labels: npt.NDArray[int64]
    clean: npt.NDArray[bool_]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Concepts with the features of their drawings by package, and of the clothing photos."""

    concepts: Sequence[Concept]
    drawings: dict[str, FeatureSet]
    clothes: FeatureSet


def concepts(work: Path) -> list[Concept]:
    """The concepts by the labels' package, fetched unless it is there."""
    return read_concepts(fetch(LABELS, work / "packages"))


def unseen_drawings(work: Path) -> list[Drawing]:
    """OpenMoji's drawings, rendered: for evaluation alone."""
    drawings = read_unseen(fetch(UNSEEN_DRAWINGS, work / "packages"), concepts(work))
    render_all(drawings, work / "drawings")
    return drawings


def training_data(work: Path, clothing: Path, variants: int = VARIANTS) -> TrainingData:
    """Fetches, renders, augments and computes what ``work`` lacks; a second run reads files.

    Raises ModelError where a source is missing or is not the pinned one.
    """
    named = concepts(work)
    drawings = read_drawings({p.short: fetch(p, work / "packages") for p in DRAWINGS}, named)
    render_all(drawings, work / "drawings")
    train = photos(clothing, "train")
    order = {concept.code: number for number, concept in enumerate(named)}
    sets = {}
    for package in DRAWINGS:
        its = [drawing for drawing in drawings if drawing.package == package.short]
        samples = [sample for drawing in its for sample in _of_drawing(drawing, work, train, variants)]
        sets[package.short] = _features(samples, work / "features" / package.short, [order[d.code] for d in its])
    samples = [Sample(path, f"{kind}/{path.name}", n) for kind, path in train for n in range(variants + 1)]
    clothes = _features(samples, work / "features" / "clothing", [CLASSES.index(kind) for kind, _ in train])
    return TrainingData(named, sets, clothes)


def _of_drawing(drawing: Drawing, work: Path, train: Sequence[tuple[str, Path]], variants: int) -> list[Sample]:
    name = f"{drawing.package}/{drawing.code}"
    grounds = generator(SEED, "ground", name).integers(0, len(train), variants + 1)
    path = picture_path(drawing, work / "drawings")
    return [Sample(path, name, n, train[ground][1]) for n, ground in enumerate(grounds)]


def _features(samples: Sequence[Sample], folder: Path, labels: Sequence[int]) -> FeatureSet:
    import numpy as np

    each = len(samples) // len(labels)
    clean = np.array([sample.variant == 0 for sample in samples], dtype=np.bool_)
    return FeatureSet(extract(samples, folder, SEED), np.repeat(np.array(labels, dtype=np.int64), each), clean)
