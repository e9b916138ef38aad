"""From pooled features to the vector: extended ConSE, and a part that tells pictures of one kind apart.

ConSE (Norouzi et al. 2014, arXiv:1312.5650) is the mean of the classes' text vectors, weighted by the classifier's
probabilities. Here a small network reads the same features and adds classes that ImageNet lacks: its logits stand
beside the classifier's, and one more output moves the latter as a whole. The last dimensions hold a projection of
the features themselves; they are zero in every text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from openvino import opset13 as op

from embedding.builtin.concepts import SPLIT
from embedding.builtin.texts import normalise

if TYPE_CHECKING:
    import numpy.typing as npt
    import openvino as ov

    from embedding.builtin.class_vectors import ClassVectors
    from embedding.builtin.concepts import Concepts

FEATURES_SCALE, CONSE_SCALE = np.float32(8), np.float32(3)
"""Bring both inputs of the network to about the same size."""


def conse(logits: ov.Node, classes: ClassVectors) -> ov.Node:
    """ImageNet's logits [batch, 1000] -> unit vectors [batch, 512], where they lie without the network."""
    return _unit(_matmul(op.softmax(logits, 1), classes.vectors))


def extended_conse(features: ov.Node, logits: ov.Node, classes: ClassVectors, concepts: Concepts) -> ov.Node:
    """Pooled features [batch, 1280] and ImageNet's logits [batch, 1000] -> unit vectors [batch, 512]."""
    look = _unit(op.sqrt(features))
    x = op.concat([op.multiply(look, FEATURES_SCALE), op.multiply(conse(logits, classes), CONSE_SCALE)], 1)
    hidden = op.gelu(op.add(_matmul(x, concepts.hidden), concepts.hidden_bias), "erf")
    new = op.add(_matmul(hidden, concepts.output), concepts.output_bias)
    shift = op.add(_matmul(hidden, concepts.shift[:, None]), concepts.shift_bias)
    known = op.add(op.log_softmax(logits, 1), shift)
    weights = op.softmax(op.concat([known, new], 1), 1)
    words = _unit(_matmul(weights, word_vectors(classes, concepts)))
    likeness = _unit(_matmul(op.subtract(look, concepts.look_mean), concepts.look_axes))
    share = float(concepts.look_share)
    return op.concat(
        [op.multiply(words, np.float32((1 - share) ** 0.5)), op.multiply(likeness, np.float32(share**0.5))], 1
    )


def word_vectors(classes: ClassVectors, concepts: Concepts) -> npt.NDArray[np.float32]:
    """ImageNet's classes and the new concepts along the axes of texts, [1000 + concepts, 384]."""
    return np.concatenate([classes.vectors @ concepts.text_axes, concepts.vectors])


def project_texts(texts: npt.NDArray[np.float32], axes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Centred unit texts [batch, 512] -> unit vectors whose last 128 dimensions are zero."""
    padded = np.zeros_like(texts)
    padded[:, :SPLIT] = normalise(texts @ axes)
    return padded


def _matmul(x: ov.Node, matrix: npt.NDArray[np.float32]) -> ov.Node:
    return op.matmul(x, matrix, False, False)


def _unit(x: ov.Node) -> ov.Node:
    return op.normalize_l2(x, np.array([1]), 1e-12, "max")
