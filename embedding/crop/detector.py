"""The main object of a picture by an object detector: any ONNX or OpenVINO file with a known kind of answer.

Input: one picture of fixed size, [1, 3, height, width] or [1, height, width, 3], RGB; whole numbers get 0 to 255,
floats 0 to 1. The picture is stretched to it. Output, one row per object:
    [..., 7]   picture, class, score, left, top, right, bottom, sides as shares of 1 (OpenVINO's DetectionOutput)
    [..., 6]   left, top, right, bottom, score, class, sides in pixels of the input (YOLO with its NMS exported)
    [..., 5]   left, top, right, bottom, score, sides in pixels of the input
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import openvino as ov
from PIL.Image import Resampling

from embedding.crop.square import Box
from embedding.openvino_cpu import core, infer_request
from havengate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from PIL.Image import Image

LEAST_SCORE = 0.25
_SETTING = "HAVENGATE_EMBEDDING__DETECTOR"
_CHANNELS = 3
# Where the score and the four sides stand in a row, by the row's length.
_COLUMNS = {7: (2, slice(3, 7)), 6: (4, slice(0, 4)), 5: (4, slice(0, 4))}


class Detector:
    """Thread-safe. Raises ModelError for a file that cannot be read, or is no detector as described above."""

    def __init__(self, file: Path, threads: int) -> None:
        try:
            model = core().read_model(file)
            self._request = infer_request(model, threads)
        except RuntimeError as error:
            raise ModelError(f"{_SETTING}: {file} cannot be read: {str(error).strip().splitlines()[-1]}") from error
        self._channels_first, self._height, self._width = _input_sides(model, file)
        self._whole = model.input(0).element_type.is_integral()
        self._output, self._columns = _output_of(model, file)
        self._lock = threading.Lock()

    def main_object(self, picture: Image) -> Box | None:
        """The object with the largest product of score and area; None where none is sure enough."""
        rows = self._run(picture)
        score, sides = _COLUMNS[self._columns]
        boxes = rows[:, sides] / ((1.0,) * 4 if self._columns == max(_COLUMNS) else (self._width, self._height) * 2)
        left, top, right, bottom = np.clip(boxes, 0, 1).T
        weights = rows[:, score] * (right - left) * (bottom - top)
        weights[~(rows[:, score] >= LEAST_SCORE) | ~(right > left) | ~(bottom > top)] = 0
        if not len(weights) or not weights.max() > 0:
            return None
        best = int(weights.argmax())
        width, height = picture.size
        return Box(left[best] * width, top[best] * height, right[best] * width, bottom[best] * height)

    def _run(self, picture: Image) -> npt.NDArray[np.float32]:
        pixels = np.asarray(picture.resize((self._width, self._height), Resampling.BILINEAR))
        given = pixels if self._whole else pixels.astype(np.float32) / 255
        given = given.transpose(2, 0, 1) if self._channels_first else given
        with self._lock:
            self._request.infer([np.ascontiguousarray(given[np.newaxis])])
            found = np.array(self._request.get_output_tensor(self._output).data, np.float32)
        return found.reshape(-1, self._columns)


def _input_sides(model: ov.Model, file: Path) -> tuple[bool, int, int]:
    """Whether channels come first, height, width."""
    shape = model.input(0).partial_shape if len(model.inputs) == 1 else ov.PartialShape([])
    if shape.is_static and len(shape) == 4 and shape[0].get_length() == 1:  # noqa: PLR2004  batch, channels, two sides
        _, *sides = (side.get_length() for side in shape)
        if sides[0] == _CHANNELS:
            return True, sides[1], sides[2]
        if sides[2] == _CHANNELS:
            return False, sides[0], sides[1]
    raise ModelError(f"{_SETTING}: {file} takes no single picture of fixed size and three channels")


def _output_of(model: ov.Model, file: Path) -> tuple[int, int]:
    """Which output has the objects, and how long its rows are."""
    for number, output in enumerate(model.outputs):
        shape = output.partial_shape
        if shape.rank.is_static and len(shape) > 1 and shape[len(shape) - 1].is_static:
            columns = shape[len(shape) - 1].get_length()
            if columns in _COLUMNS:
                return number, columns
    raise ModelError(f"{_SETTING}: {file} has no output with rows of 5, 6 or 7 numbers (docs/pictures.md says which)")
