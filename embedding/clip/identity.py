"""What a CLIP model's vectors are made of, without loading it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedding.clip.preprocess import read_recipe
from havengate.types import Fingerprint

if TYPE_CHECKING:
    from embedding.clip.files import ClipFiles
    from embedding.clip.runtime import RuntimeSettings


def fingerprint(files: ClipFiles, runtime: RuntimeSettings) -> Fingerprint:
    """The space is that of the pictures: rows hold no texts, and every text tower named shares it.

    Raises ModelError where the preprocessing cannot be read.
    """
    recipe = read_recipe(files.picture, files.preprocessing)
    texts = ",".join(files.space_texts or (files.text_source,))
    space = f"clip picture={files.picture_source} {recipe.name} dimension={files.dimension} texts={texts}"
    return Fingerprint(space, runtime.numerics)
