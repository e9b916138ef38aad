"""What a model's ``prepare`` does, as data: a gateway without the weights makes the same pixels."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from havengate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    from embedding.clip.preprocess import Recipe
    from embedding.protocol import Model

    Prepare = Callable[[Image], npt.NDArray[np.uint8]]


def describe_preparation(model: Model) -> dict[str, Any] | None:
    """JSON for ``preparation_from``; None for a model whose preparation has no other form than its code."""
    from embedding.builtin.identity import PREPROCESSING
    from embedding.builtin.model import BuiltinModel
    from embedding.clip.preprocess import Recipe

    if isinstance(model, BuiltinModel):
        return {"name": PREPROCESSING}
    recipe = getattr(model, "recipe", None)
    return {"name": recipe.name, "recipe": asdict(recipe)} if isinstance(recipe, Recipe) else None


def preparation_from(described: Mapping[str, Any] | None) -> Prepare:
    """The function that a description stands for.

    Raises ModelError where this version prepares pictures in another way: its pixels would be of another space.
    """
    from embedding.builtin import preprocess as builtin
    from embedding.builtin.identity import PREPROCESSING

    name = (described or {}).get("name")
    if name == PREPROCESSING:
        return builtin.prepare
    recipe = _recipe((described or {}).get("recipe"))
    if recipe is None or recipe.name != name:
        raise ModelError(f"the model server wants pictures prepared as {name!r}, which this version does not do")
    from embedding.clip.preprocess import prepare

    return lambda picture: prepare(recipe, picture)


def _recipe(values: Any) -> Recipe | None:
    from embedding.clip.preprocess import Recipe

    try:
        # JSON has lists for tuples.
        named: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return Recipe(**named)
    except (AttributeError, TypeError):
        return None
