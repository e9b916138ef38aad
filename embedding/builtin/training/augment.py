"""Stage 3: pictures as they are met: drawings on backgrounds, photos cropped, both in bad light and badly saved.

Every picture has a random generator of its own, seeded by its name, so that neither order nor interruptions matter.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

if TYPE_CHECKING:
    from numpy.random import Generator

SIDE = 256
"""Pixels of a drawing and of an augmented picture: the model's own short side."""
_WHITE = (255, 255, 255)
_ON_WHITE, _ON_COLOUR = 0.4, 0.35
"""Shares of the drawings; the rest lies on photos."""


def generator(seed: int, *names: object) -> Generator:
    """The generator of one picture."""
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, names)).encode())])


def clean_drawing(drawing: Image.Image) -> Image.Image:
    """An RGBA drawing in the middle of white."""
    return _placed(drawing, Image.new("RGB", (SIDE, SIDE), _WHITE), 0.5, 0.5)


def drawing_variant(drawing: Image.Image, photo: Image.Image, rng: Generator) -> Image.Image:
    """The RGBA drawing turned, scaled and placed anywhere on white, on a colour or on a piece of a photo."""
    if _chance(0.3, rng):
        drawing = ImageOps.mirror(drawing)
    if _chance(0.6, rng):
        drawing = drawing.rotate(rng.uniform(-20, 20), Image.Resampling.BICUBIC, expand=True)
    drawing = drawing.resize(_scaled(SIDE, rng.uniform(0.45, 1.05), rng.uniform(0.88, 1.12)), Image.Resampling.BICUBIC)
    return finish(_placed(drawing, _background(photo, rng), rng.random(), rng.random()), rng)


def photo_variant(photo: Image.Image, rng: Generator) -> Image.Image:
    """A piece of the photo, or all of it small on a plain ground as shops show things; perhaps mirrored or tilted."""
    if _chance(0.5, rng):
        photo = ImageOps.mirror(photo)
    if _chance(0.3, rng):
        photo = photo.rotate(rng.uniform(-15, 15), Image.Resampling.BICUBIC, fillcolor=_colour(rng))
    if _chance(0.25, rng):
        side = rng.uniform(0.6, 0.95)
        small = ImageOps.contain(photo, (round(SIDE * side), round(SIDE * side)), Image.Resampling.BICUBIC)
        ground = Image.new("RGB", (SIDE, SIDE), _WHITE if _chance(0.6, rng) else _colour(rng))
        return finish(_placed(small.convert("RGBA"), ground, rng.random(), rng.random()), rng)
    return finish(_piece(photo, rng.uniform(0.45, 1), rng), rng)


def near_copy(photo: Image.Image, rng: Generator) -> Image.Image:
    """The photo cropped to 60 to 90 % of its area and saved as a JPEG of low quality: a near-duplicate."""
    return _jpeg(_piece(photo, rng.uniform(0.6, 0.9), rng, size=None), int(rng.integers(30, 80)))


def finish(picture: Image.Image, rng: Generator) -> Image.Image:
    """Light, colour, sharpness and compression."""
    picture = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.75, 1.25))
    picture = ImageEnhance.Contrast(picture).enhance(rng.uniform(0.75, 1.25))
    if _chance(0.7, rng):
        picture = ImageEnhance.Color(picture).enhance(rng.uniform(0.3, 1.5))
    if _chance(0.2, rng):
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2)))
    if _chance(0.2, rng):
        low = int(rng.integers(48, 129))
        small = picture.resize((low, low), Image.Resampling.BILINEAR)
        picture = small.resize(picture.size, Image.Resampling.BILINEAR)
    return _jpeg(picture, int(rng.integers(30, 91))) if _chance(0.4, rng) else picture


def _background(photo: Image.Image, rng: Generator) -> Image.Image:
    kind = rng.random()
    if kind < _ON_WHITE:
        return Image.new("RGB", (SIDE, SIDE), _WHITE)
    if kind < _ON_WHITE + _ON_COLOUR:
        return Image.new("RGB", (SIDE, SIDE), _colour(rng))
    return _piece(photo, rng.uniform(0.2, 0.8), rng)


def _chance(share: float, rng: Generator) -> bool:
    return rng.random() < share


def _colour(rng: Generator) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in rng.integers(0, 256, 3))
    return red, green, blue


def _piece(photo: Image.Image, area: float, rng: Generator, size: int | None = SIDE) -> Image.Image:
    """A random piece with that share of the area; a square of ``size`` pixels if there is one."""
    width, height = _scaled(photo.size, area**0.5, rng.uniform(0.9, 1.1))
    width, height = min(width, photo.width), min(height, photo.height)
    left, top = rng.integers(0, photo.width - width + 1), rng.integers(0, photo.height - height + 1)
    box = (int(left), int(top), int(left) + width, int(top) + height)
    if size is None:
        return photo.crop(box)
    return ImageOps.fit(photo.crop(box), (size, size), Image.Resampling.BICUBIC)


def _placed(drawing: Image.Image, ground: Image.Image, across: float, down: float) -> Image.Image:
    """The RGBA drawing over the ground; 0 is left or top, 1 right or bottom."""
    place = (round((ground.width - drawing.width) * across), round((ground.height - drawing.height) * down))
    ground.paste(drawing, place, drawing)
    return ground


def _scaled(size: int | tuple[int, int], scale: float, aspect: float) -> tuple[int, int]:
    width, height = (size, size) if isinstance(size, int) else size
    return max(1, round(width * scale * aspect**0.5)), max(1, round(height * scale / aspect**0.5))


def _jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    with Image.open(file) as read:
        return read.convert("RGB")
