"""Arrays as they go between a gateway and a server of models: raw numbers, the shape beside them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SHAPE_HEADER = "X-Havengate-Shape"
"""Sides of the array by commas, the outermost first."""
CONTENT_TYPE = "application/octet-stream"
MOST_ITEMS = 64
"""Texts or pictures of one request."""
MOST_SIDE = 1024
"""Pixels of a prepared picture's longer side."""


def shape_text(array: npt.NDArray[np.generic]) -> str:
    return ",".join(map(str, array.shape))


def pixels_from(body: bytes, shape: str) -> npt.NDArray[np.uint8]:
    """[pictures, height, width, 3], no copy. Raises ValueError saying what is wrong."""
    import numpy as np

    sides = _sides(shape, 4, len(body))
    if sides[3] != 3 or not 0 < sides[0] <= MOST_ITEMS or not 0 < max(sides[1:3]) <= MOST_SIDE:  # noqa: PLR2004  RGB
        raise ValueError(f"{SHAPE_HEADER} {shape}: 1 to {MOST_ITEMS} pictures of 3 channels, sides up to {MOST_SIDE}")
    return np.frombuffer(body, np.uint8).reshape(sides)


def vectors_to(vectors: npt.NDArray[np.float32]) -> bytes:
    """float32, little-endian, row after row."""
    return vectors.astype("<f4", copy=False).tobytes()


def vectors_from(body: bytes, shape: str) -> npt.NDArray[np.float32]:
    """[rows, dimension], no copy and read-only. Raises ValueError saying what is wrong."""
    import numpy as np

    sides = _sides(shape, 2, len(body) // 4)
    return np.frombuffer(body, "<f4").astype(np.float32, copy=False).reshape(sides)


def _sides(shape: str, count: int, size: int) -> tuple[int, ...]:
    try:
        sides = tuple(map(int, shape.split(",")))
    except ValueError:
        sides = ()
    if len(sides) != count or min(sides) < 0 or math.prod(sides) != size:
        raise ValueError(f"{SHAPE_HEADER} {shape[:80]!r} is not that of the {size} numbers of the body")
    return sides
