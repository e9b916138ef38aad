"""Squares of a picture: the middle one, or the one around an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL.Image import Image


class Box(NamedTuple):
    """Pixels of a picture: left and top inside, right and bottom outside."""

    left: float
    top: float
    right: float
    bottom: float


def centre_square(picture: Image) -> Image:
    """The largest square in the middle."""
    return around(picture, Box(0, 0, *picture.size))


def around(picture: Image, box: Box) -> Image:
    """The smallest square that holds the box, moved inside the picture.

    Models take squares and would cut the ends off a long object. A box that is longer than the picture's short side
    has no square inside of it: then the middle of the box along that side.
    """
    side = max(1, min(*picture.size, round(max(box.right - box.left, box.bottom - box.top))))
    left = _placed((box.left + box.right - side) / 2, side, picture.width)
    top = _placed((box.top + box.bottom - side) / 2, side, picture.height)
    return picture.crop((left, top, left + side, top + side))


def _placed(first: float, side: int, whole: int) -> int:
    return max(0, min(round(first), whole - side))
