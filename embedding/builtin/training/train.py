"""Stage 6: the network. Two goals at once: name drawings and clothes, and leave photos where they were.

No photos of ImageNet's classes are needed for the latter: pseudo features are made from the classifier's own
weights, and on them the probabilities of the classifier without the network are learnt (distillation).
Every step draws from a generator seeded by its number, so that training goes on after a stop as if there was none.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import trange

from embedding.builtin.class_vectors import load_class_vectors
from embedding.builtin.head import CONSE_SCALE, FEATURES_SCALE
from embedding.builtin.model import read_weights
from embedding.builtin.texts import TextTower, normalise
from embedding.builtin.training.clothes import CLASSES
from embedding.builtin.training.data import SEED, training_data
from embedding.builtin.training.pack import pack
from embedding.builtin.training.texts import text_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from embedding.builtin.class_vectors import ClassVectors
    from embedding.builtin.training.data import TrainingData

    Rows = npt.NDArray[np.float32]

    class _Part(Protocol):
        """What a checkpoint holds."""

        def state_dict(self) -> dict[str, Any]: ...

        def load_state_dict(self, state_dict: dict[str, Any], /) -> object: ...


HIDDEN = 1024
_CHECKPOINT_EVERY = 100
_UNMIXED = 0.6
"""Share of the pseudo features that are of one class."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and with what; rows of a batch by where they come from."""

    steps: int = 1300
    drawings: int = 282
    clothes: int = 102
    pseudo: int = 128
    rate: float = 1e-3
    warm_up: float = 0.1
    weight_decay: float = 1e-4
    dropout: float = 0.1
    distillation: float = 1.0


class Head(nn.Module):
    """Features and old log probabilities -> log probabilities over old and new classes."""

    def __init__(self, concepts: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(1280 + 512, HIDDEN)
        self.output = nn.Linear(HIDDEN, concepts + 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """``x`` [batch, 1792], ``known`` log probabilities [batch, 1000] -> logits [batch, 1000 + concepts]."""
        out = self.output(self.dropout(functional.gelu(self.hidden(x))))
        return torch.cat([known + out[:, -1:], out[:, :-1]], dim=1)


class Classifier:
    """ImageNet's classifier on pooled features, and the network's input made of them."""

    def __init__(self, weights: Mapping[str, Rows], classes: ClassVectors) -> None:
        self.matrix, self.bias = weights["_fc.weight"], weights["_fc.bias"]
        self._vectors = torch.from_numpy(classes.vectors)

    def inputs(self, features: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """Pooled features [batch, 1280] -> (network input, log probabilities of the 1,000 classes)."""
        rows = torch.from_numpy(features)
        logits = functional.linear(rows, torch.from_numpy(self.matrix), torch.from_numpy(self.bias))
        conse = functional.normalize(logits.softmax(1) @ self._vectors)
        look = functional.normalize(rows.clamp_min(0).sqrt())
        return torch.cat([look * float(FEATURES_SCALE), conse * float(CONSE_SCALE)], dim=1), logits.log_softmax(1)


class Batches:
    """Rows of a step: drawings and clothes, each class as likely as another, and pseudo features."""

    def __init__(self, data: TrainingData, matrix: Rows, recipe: Recipe) -> None:
        self._recipe = recipe
        sets = list(data.drawings.values())
        self._drawings = np.concatenate([s.rows for s in sets])
        self._drawing_rows = _rows_by_label(np.concatenate([s.labels for s in sets]))
        self._clothes = data.clothes.rows
        self._clothing_rows = _rows_by_label(data.clothes.labels)
        self._length = np.float32(np.linalg.norm(self._clothes, axis=1).mean())
        self._directions = [normalise(np.maximum(matrix - matrix.mean(axis=0), 0) ** power) for power in (1, 2)]
        self._old, self._new = len(matrix), len(data.concepts)

    def __call__(self, rng: np.random.Generator) -> tuple[Rows, npt.NDArray[np.int64]]:
        """Features, and targets among old and new classes (-1 for pseudo features, which come last)."""
        kinds, picked = _pick(self._drawing_rows, self._recipe.drawings, rng)
        clothes, worn = _pick(self._clothing_rows, self._recipe.clothes, rng)
        rows = [self._drawings[picked], self._clothes[worn], self._pseudo(rng)]
        targets = [kinds + self._old, clothes + self._old + self._new, np.full(self._recipe.pseudo, -1)]
        return np.concatenate(rows), np.concatenate(targets)

    def _pseudo(self, rng: np.random.Generator) -> Rows:
        """What the classifier takes for one or two classes, with some of a real photo under it."""
        count = self._recipe.pseudo
        directions = self._directions[int(rng.integers(2))]
        first, second = rng.integers(0, self._old, (2, count))
        strong = rng.uniform(0.2, 0.6, (count, 1))
        mixed = np.where(rng.random((count, 1)) < _UNMIXED, 0, rng.uniform(0, 0.3, (count, 1)))
        real = self._clothes[rng.integers(0, len(self._clothes), count)] * rng.uniform(0.1, 0.8, (count, 1))
        rows: Rows = (self._length * (strong * directions[first] + mixed * directions[second]) + real).astype(
            np.float32
        )
        return rows


def train(work: Path, clothing: Path, recipe: Recipe | None = None) -> None:
    """Runs every stage that has not been run, and writes the package's file."""
    # Two threads wait for each other where cores are busy, and sum in another order.
    torch.set_num_threads(1)
    recipe = recipe or Recipe()
    data, classes = training_data(work, clothing), load_class_vectors()
    classifier = Classifier(read_weights(), classes)
    head = fit(data, classifier, recipe, work / "checkpoint.pt")
    pack(head, data, text_vectors(TextTower(classes.mean, 1), data.concepts, classes.vectors))


def fit(data: TrainingData, classifier: Classifier, recipe: Recipe, checkpoint: Path) -> Head:
    """The trained network; ``checkpoint`` is written now and then, and gone on from."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    head = Head(len(data.concepts) + len(CLASSES), recipe.dropout)
    optimizer = torch.optim.AdamW(head.parameters(), recipe.rate, (0.9, 0.98), weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.rate, total_steps=recipe.steps, pct_start=recipe.warm_up, cycle_momentum=False
    )
    parts: dict[str, _Part] = {"head": head, "optimizer": optimizer, "schedule": schedule}
    key = _key(data, recipe)
    first = _resume(parts, checkpoint, key)
    batches, hidden = Batches(data, classifier.matrix, recipe), _hidden_from(data, len(classifier.matrix))
    for step in (bar := trange(first, recipe.steps, desc="training", unit="step")):
        torch.manual_seed(SEED + step)
        rows, targets = batches(np.random.default_rng([SEED, step]))
        loss = _loss(head, classifier.inputs(rows), torch.from_numpy(targets), hidden, recipe)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}")
        if (step + 1) % _CHECKPOINT_EVERY == 0:
            _keep(parts, checkpoint, key, step + 1)
    return head.eval()


def _loss(
    head: Head, inputs: tuple[torch.Tensor, torch.Tensor], targets: torch.Tensor, hidden: torch.Tensor, recipe: Recipe
) -> torch.Tensor:
    x, known = inputs
    logits = head(x, known)
    named = targets >= 0
    # A drawing of a dress and a photo of one are not each other's opposite.
    kept = logits[named].masked_fill(hidden[targets[named]], -1e4)
    naming: torch.Tensor = functional.cross_entropy(kept, targets[named])
    found = logits[~named].log_softmax(1)
    old = known[~named]
    staying: torch.Tensor = (old.exp() * (old - found[:, : old.shape[1]])).sum(1).mean()
    return naming + recipe.distillation * staying


def _hidden_from(data: TrainingData, old: int) -> torch.Tensor:
    """[classes, classes]: which classes say nothing about a picture of the row's class."""
    total = old + len(data.concepts) + len(CLASSES)
    hidden = torch.zeros(total, total, dtype=torch.bool)
    drawn = torch.tensor([old + n for n, concept in enumerate(data.concepts) if concept.clothing], dtype=torch.long)
    photographed = torch.arange(old + len(data.concepts), total)
    hidden[drawn.unsqueeze(1), photographed] = True
    hidden[photographed.unsqueeze(1), drawn] = True
    return hidden


def _rows_by_label(labels: npt.NDArray[np.int64]) -> dict[int, npt.NDArray[np.int64]]:
    order = np.argsort(labels, kind="stable")
    values, starts = np.unique(labels[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, starts[1:]), strict=True))


def _pick(
    rows: Mapping[int, npt.NDArray[np.int64]], count: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Labels, each as likely as another, and a row of each."""
    labels = np.array(list(rows), dtype=np.int64)[rng.integers(0, len(rows), count)]
    return labels, np.array([rng.choice(rows[int(label)]) for label in labels], dtype=np.int64)


def _key(data: TrainingData, recipe: Recipe) -> str:
    """What a checkpoint has to be of to be gone on from."""
    sums = [zlib.crc32(s.rows.data) ^ zlib.crc32(s.labels.data) for s in (*data.drawings.values(), data.clothes)]
    return f"{recipe} {sums}"


def _keep(parts: Mapping[str, _Part], checkpoint: Path, key: str, step: int) -> None:
    states = {name: part.state_dict() for name, part in parts.items()}
    torch.save({"key": key, "step": step, **states}, part := checkpoint.with_suffix(".part"))
    part.replace(checkpoint)


def _resume(parts: Mapping[str, _Part], checkpoint: Path, key: str) -> int:
    """Loads the checkpoint of that key, if there is one; the step to go on with."""
    if not checkpoint.exists():
        return 0
    kept = torch.load(checkpoint, weights_only=True)
    if kept["key"] != key:
        return 0
    for name, part in parts.items():
        part.load_state_dict(kept[name])
    step: int = kept["step"]
    return step
