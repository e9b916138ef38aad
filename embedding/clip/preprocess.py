"""Pictures as a preprocessor_config.json says: resize, centre crop; scale, mean and deviation for the tower."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from embedding.clip.files import read_json
from havengate.errors import ModelError, PictureError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    from embedding.entry import Preprocessing

VERSION = 1
"""Raise it with every change to prepare() that moves a grey level."""

_CONFIG = "preprocessor_config.json"
_PROCESSOR = "processor_config.json"
# transformers' CLIPImageProcessor takes these where the file is silent.
_SIDE = 224
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
_BICUBIC = 3
_LONGEST = 8
"""Crops that a side is resized to at most."""
_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """``short`` is the short side after resizing, or ``stretch`` both sides (height, width); then the middle ``crop``.

    The tower takes ``(pixels * scale - mean) / std`` by channel.
    """

    short: int
    stretch: tuple[int, int] | None
    crop: tuple[int, int]
    resample: int
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def name(self) -> str:
        """The recipe in a few characters, the same for the same pixels."""
        sides = f"short{self.short}" if self.stretch is None else f"stretch{self.stretch[0]}x{self.stretch[1]}"
        numbers = hashlib.sha256(repr((self.scale, self.mean, self.std)).encode()).hexdigest()[:8]
        return f"{sides}-{_FILTERS[self.resample]}-crop{self.crop[0]}x{self.crop[1]}-norm{numbers}.{VERSION}"


def prepare(recipe: Recipe, picture: Image) -> npt.NDArray[np.uint8]:
    """An RGB picture -> uint8 [crop height, crop width, 3].

    Of a very long picture only the middle is resized, with the coefficients of the whole: 1 x 50,000,000 pixels never
    become 224 x 11,200,000,000. Raises PictureError for a picture that is not RGB.
    """
    import numpy as np
    from PIL.Image import Resampling

    if picture.mode != "RGB":
        raise PictureError(f"the model takes RGB pictures, this one is {picture.mode}")
    sides = [
        _window(*side) for side in zip(picture.size, _resized(recipe, picture.size), recipe.crop[::-1], strict=True)
    ]
    (left, right), (top, bottom) = (side.source for side in sides)
    if (left, top, right, bottom) != (0, 0, *picture.size):
        # Pillow picks the order of its passes, which moves grey levels, by the sizes of source and result alone.
        x, y = int(left), int(top)
        picture = picture.crop((x, y, ceil(right), ceil(bottom)))
        left, top, right, bottom = left - x, top - y, right - x, bottom - y
    width, height = (side.length for side in sides)
    shown = picture.resize((width, height), Resampling(recipe.resample), (left, top, right, bottom))
    (x, columns), (y, rows) = ((side.first, side.crop) for side in sides)
    return np.asarray(shown.crop((x, y, x + columns, y + rows)), dtype=np.uint8)


class _Window(NamedTuple):
    """Along one side: what of the source is resized to how many pixels, and the crop's first of them and number."""

    source: tuple[float, float]
    length: int
    first: int
    crop: int


def _window(source: int, resized: int, crop: int) -> _Window:
    length = min(resized, _LONGEST * crop)
    first = (resized - length) // 2
    scale = source / resized
    return _Window((first * scale, min(source, (first + length) * scale)), length, (resized - crop) // 2 - first, crop)


def _resized(recipe: Recipe, size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the whole picture after resizing; the long side is rounded down, as transformers does."""
    if recipe.stretch is not None:
        return recipe.stretch[1], recipe.stretch[0]
    width, height = size
    if width <= height:
        return recipe.short, int(recipe.short * height / width)
    return int(recipe.short * width / height), recipe.short


def read_recipe(folder: Path, given: Preprocessing | None = None) -> Recipe:
    """The recipe of a folder, or of ``given``, which stands in for its file.

    Raises ModelError for a step that this version does not have, and where the file is missing.
    """
    if given is not None:
        side = (given.size, given.size)
        return Recipe(given.size, None, side, _BICUBIC, 1 / 255, given.mean, given.std)
    if (folder / _CONFIG).is_file() or not (folder / _PROCESSOR).is_file():
        return _recipe(read_json(folder, _CONFIG), folder / _CONFIG)
    # transformers 5 writes the picture's part into the processor's file.
    return _recipe(read_json(folder, _PROCESSOR).get("image_processor", {}), folder / _PROCESSOR)


def _recipe(config: dict[str, Any], source: Path) -> Recipe:
    for step in ("do_resize", "do_center_crop", "do_rescale", "do_normalize"):
        if config.get(step) is False and step in ("do_resize", "do_rescale"):
            raise ModelError(f"{source}: {step} false: the tower takes pictures of one size and scale")
    try:
        short, stretch = _size(config.get("size", _SIDE))
        cropped = config.get("do_center_crop", True) is not False
        crop = _pair(config.get("crop_size", _SIDE)) if cropped else stretch
        normalised = config.get("do_normalize", True) is not False
        recipe = Recipe(
            short=short,
            stretch=stretch,
            crop=crop or (0, 0),
            resample=int(config.get("resample", _BICUBIC)),
            scale=float(config.get("rescale_factor", 1 / 255)),
            mean=tuple(map(float, config.get("image_mean", _MEAN))) if normalised else (0.0,) * 3,
            std=tuple(map(float, config.get("image_std", _STD))) if normalised else (1.0,) * 3,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{source}: not the sizes and numbers of a CLIPImageProcessor: {error!r}") from error
    _check(recipe, source)
    return recipe


def _size(size: Any) -> tuple[int, tuple[int, int] | None]:
    if isinstance(size, int):
        return size, None
    if "shortest_edge" in size:
        return int(size["shortest_edge"]), None
    pair = _pair(size)
    return min(pair), pair


def _pair(size: Any) -> tuple[int, int]:
    """(height, width)."""
    return (size, size) if isinstance(size, int) else (int(size["height"]), int(size["width"]))


def _check(recipe: Recipe, source: Path) -> None:
    resized = recipe.stretch or (recipe.short, recipe.short)
    if not all(0 < inner <= outer for inner, outer in zip(recipe.crop, resized, strict=True)):
        raise ModelError(f"{source}: a crop of {recipe.crop} does not lie inside of {resized}")
    if recipe.resample not in _FILTERS:
        raise ModelError(f"{source}: no filter {recipe.resample} (filters: 0 to 5)")
    if len(recipe.mean) != 3 or len(recipe.std) != 3 or 0 in recipe.std:  # noqa: PLR2004  channels
        raise ModelError(f"{source}: image_mean and image_std have three numbers, none of image_std is 0")
