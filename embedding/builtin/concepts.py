"""The trained package data of ``builtin``: a small network that adds concepts to ImageNet's classes.

Made by ``make builtin-train``; sources and licences are in NOTICE and concepts.md.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

PATH = Path(__file__).with_name("concepts.npz")
SPLIT = 384
"""Dimensions of words; the rest of 512 says what a picture looks like."""


class Concepts(NamedTuple):
    """Arrays as float32, kept as float16; K concepts, H hidden units."""

    hidden: Array
    """[1792, H]: features and ConSE vector to hidden units."""
    hidden_bias: Array
    """[H]"""
    output: Array
    """[H, K]: hidden units to the logits of the new concepts."""
    output_bias: Array
    """[K]"""
    shift: Array
    """[H]: hidden units to what is added to all of ImageNet's log probabilities."""
    shift_bias: Array
    """[1]"""
    vectors: Array
    """[K, 384]: where the concepts lie among the words."""
    text_axes: Array
    """[512, 384]: texts to words."""
    look_mean: Array
    """[1280]"""
    look_axes: Array
    """[1280, 128]: square roots of features, at length 1 and without their mean, to looks."""
    look_share: Array
    """[]: share of a vector's squared length that is looks."""


def load_concepts(path: Path = PATH) -> Concepts:
    """All arrays, ready to compute with."""
    import numpy as np

    with np.load(path, allow_pickle=False) as arrays:
        return Concepts(**{name: arrays[name].astype(np.float32) for name in Concepts._fields})


def content_hash() -> str:
    """First 12 hex digits of the file's SHA-256: a part of the model's fingerprint."""
    return hashlib.sha256(PATH.read_bytes()).hexdigest()[:12]
