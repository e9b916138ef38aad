"""The clothing photos: a folder with train, validation and test, in each a folder of photos per class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from havengate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = ("dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt")


def photos(folder: Path, part: str) -> list[tuple[str, Path]]:
    """(class, photo) of ``train``, ``validation`` or ``test`` in order. Raises ModelError where a class has none."""
    found = [(kind, path) for kind in CLASSES for path in sorted((folder / part / kind).glob("*.jpg"))]
    missing = sorted(set(CLASSES) - {kind for kind, _ in found})
    if missing:
        raise ModelError(f"{folder / part}: no photos of {', '.join(missing)}")
    return found
