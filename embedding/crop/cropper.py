"""What `crop` means: the main object where there is a detector, else the middle square."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from embedding.crop.square import around, centre_square
from havengate.errors import PictureError

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from embedding.crop.detector import Detector


class Cropper:
    """Thread-safe; loads the detector at the first picture."""

    def __init__(self, file: Path | None, threads: int) -> None:
        self._file = file
        self._threads = threads
        self._detector: Detector | None = None
        self._lock = threading.Lock()

    def crop_main_object(self, picture: Image) -> Image:
        """A square of an RGB picture. Raises ModelError for a detector that cannot be used, PictureError."""
        if picture.mode != "RGB":
            raise PictureError(f"crop takes RGB pictures, this one is {picture.mode}")
        box = None if self._file is None else self._loaded(self._file).main_object(picture)
        return centre_square(picture) if box is None else around(picture, box)

    def _loaded(self, file: Path) -> Detector:
        with self._lock:
            if self._detector is None:
                from embedding.crop.detector import Detector

                self._detector = Detector(file, self._threads)
            return self._detector
