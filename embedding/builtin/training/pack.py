"""Stage 7: the network, the concepts' vectors and the axes as the package's file, in 16-bit floats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedding.builtin.concepts import PATH, Concepts
from embedding.builtin.texts import normalise
from embedding.builtin.training.texts import main_axes

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from embedding.builtin.training.data import FeatureSet, TrainingData
    from embedding.builtin.training.texts import TextVectors
    from embedding.builtin.training.train import Head

LOOKS = 128
LOOK_SHARE = 0.3
_LOOKS_OF = "noto"
"""The package whose drawings teach the axes of looks beside the photos."""


def pack(head: Head, data: TrainingData, texts: TextVectors, target: Path = PATH) -> Concepts:
    """Writes the file and gives what it holds."""
    mean, axes = look_axes([data.clothes, data.drawings[_LOOKS_OF]])
    hidden, output = _layer(head, "hidden"), _layer(head, "output")
    arrays = Concepts(
        hidden=hidden[0].T,
        hidden_bias=hidden[1],
        output=output[0][:-1].T,
        output_bias=output[1][:-1],
        shift=output[0][-1],
        shift_bias=output[1][-1:],
        vectors=texts.concepts @ texts.axes,
        text_axes=texts.axes,
        look_mean=mean,
        look_axes=axes,
        look_share=np.array(LOOK_SHARE, dtype=np.float32),
    )
    kept = {name: np.array(array, dtype=np.float16, order="C") for name, array in arrays._asdict().items()}
    np.savez(target, **kept)  # type: ignore[arg-type]
    return Concepts(**{name: array.astype(np.float32) for name, array in kept.items()})


def look_axes(sets: list[FeatureSet]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean [1280] and main directions [1280, 128] of unaugmented pictures' looks."""
    looks = normalise(np.sqrt(np.maximum(np.concatenate([s.rows[s.clean] for s in sets]), 0)))
    mean = looks.mean(axis=0)
    return mean, main_axes(looks - mean, LOOKS)


def _layer(head: Head, name: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    state = head.state_dict()
    return state[f"{name}.weight"].numpy(), state[f"{name}.bias"].numpy()
