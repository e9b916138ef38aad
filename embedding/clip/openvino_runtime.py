"""Towers run by OpenVINO on a CPU: converted once by way of torch, then read from the cache without it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from embedding.clip.converted import converted
from embedding.openvino_cpu import infer_request
from havengate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from embedding.clip.files import ClipFiles
    from embedding.clip.preprocess import Recipe
    from embedding.clip.runtime import RuntimeSettings


class OpenVinoTower:
    """A compiled graph. Calls from several threads are served one after the other.

    Raises ModelError for a file that is none.
    """

    def __init__(self, graph: Path, runtime: RuntimeSettings, threads: int) -> None:
        try:
            self._request = infer_request(graph, threads, runtime.precision)
        except RuntimeError as error:
            says = str(error).strip().splitlines()[-1]
            raise ModelError(
                f"{graph.parent} cannot be read: {says}. Delete that folder: it is made again from the weights"
            ) from error
        self._lock = threading.Lock()

    def __call__(self, *inputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Arrays [batch, ...] as the tower takes them -> float32 [batch, dimension], rows of unit length."""
        with self._lock:
            self._request.infer([np.ascontiguousarray(each) for each in inputs], share_inputs=True)
            return np.array(self._request.get_output_tensor(0).data, dtype=np.float32)


def load_towers(files: ClipFiles, recipe: Recipe, runtime: RuntimeSettings) -> tuple[OpenVinoTower, OpenVinoTower]:
    """The picture tower and the text tower; converts them where the cache has them not. Raises ModelError."""
    graphs = converted(files, recipe)
    return (
        OpenVinoTower(graphs.picture, runtime, runtime.threads),
        OpenVinoTower(graphs.text, runtime, runtime.text_threads),
    )
