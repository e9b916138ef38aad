"""Pictures as EfficientNet-lite0 was trained on them: short side 256 (bicubic), the middle 224 x 224."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL.Image import Resampling

from havengate.errors import PictureError

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL.Image import Image

SHORT_SIDE = 256
SIDE = 224

_MARGIN = (SHORT_SIDE - SIDE) // 2
# Box-filter down to three times the target first: at most 2 grey levels off, far less time for large pictures.
_REDUCING_GAP = 3.0


def prepare(picture: Image) -> npt.NDArray[np.uint8]:
    """An RGB picture -> uint8 [224, 224, 3].

    Only the middle square of the source is resized: what the crop throws away costs nothing, and a picture of
    1 x 50,000,000 pixels never becomes one of 256 x 12,800,000,000. Against resizing the whole picture at most 2
    grey levels differ, or 7 where Pillow runs its two passes in the other order (portraits; .2 in the mean).
    Raises PictureError for a picture that is not RGB.
    """
    if picture.mode != "RGB":
        raise PictureError(f"the model takes RGB pictures, this one is {picture.mode}")
    box = tuple(_middle(side, min(picture.size)) for side in picture.size)
    source = (box[0][0], box[1][0], box[0][1], box[1][1])
    square = picture.resize((SHORT_SIDE, SHORT_SIDE), Resampling.BICUBIC, source, _REDUCING_GAP)
    return np.asarray(square.crop((_MARGIN, _MARGIN, _MARGIN + SIDE, _MARGIN + SIDE)), dtype=np.uint8)


def _middle(side: int, short: int) -> tuple[float, float]:
    """Where the middle 256 pixels of the resized side lie in the source, with the resized side a whole number."""
    resized = max(SHORT_SIDE, round(side * SHORT_SIDE / short))
    first = (resized - SIDE) // 2 - _MARGIN
    return first * side / resized, min(side, (first + SHORT_SIDE) * side / resized)
