"""The folders of a CLIP model, each a plain Hugging Face folder, and what can be said of them without a runtime."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from havengate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from embedding.entry import Preprocessing, TextKind

WEIGHTS = "model.safetensors"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True, slots=True)
class ClipFiles:
    """What a model is made of.

    ``picture_source`` and ``text_source`` identify the weights: ``owner/name@commit``, or ``sha256:…`` of a local
    folder's. ``space_texts`` are the text towers that share the picture tower's space, whichever is in use.
    ``cache`` is where converted graphs are kept. ``preprocessing`` stands in for preprocessor_config.json.
    """

    picture: Path
    text: Path
    text_kind: TextKind
    dimension: int
    picture_source: str
    text_source: str
    cache: Path
    space_texts: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object of a folder. Raises ModelError naming the file that is missing or wrong."""
    try:
        content = json.loads((folder / name).read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"{folder}: {name} is missing") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / name} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{folder / name} is not a JSON object")
    return content


def weight_file(folder: Path) -> Path:
    """The folder's safetensors file.

    Raises ModelError where it is missing, or where there is a pickle instead: loading one runs what is in it.
    """
    if (folder / WEIGHTS).is_file():
        return folder / WEIGHTS
    says = f"{folder}: {WEIGHTS} is missing"
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if pickles:
        says += (
            f"; {', '.join(pickles)} is a pickle, which is not read because it can run code: choose a revision of the "
            f"repository that has {WEIGHTS} (HAVENGATE_EMBEDDING__REVISIONS)"
        )
    raise ModelError(says)
