"""The package data of ``builtin``: where ImageNet's 1,000 classes lie among the texts.

Made by ``python -m embedding.builtin.build_class_vectors``; sources and licences are in NOTICE.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PATH = Path(__file__).with_name("class_vectors.npz")
CLASSES = 1000
DIMENSION = 512


class ClassVectors(NamedTuple):
    """``vectors`` float32 [1000, 512] (kept as float16) and the ``mean`` text, float32 [512]."""

    vectors: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float32]


def load_class_vectors() -> ClassVectors:
    """Both arrays, ready to compute with."""
    import numpy as np

    with np.load(PATH, allow_pickle=False) as arrays:
        return ClassVectors(arrays["vectors"].astype(np.float32), arrays["mean"].astype(np.float32))


def content_hash() -> str:
    """First 12 hex digits of the file's SHA-256: a part of the model's fingerprint."""
    return hashlib.sha256(PATH.read_bytes()).hexdigest()[:12]
