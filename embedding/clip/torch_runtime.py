"""Towers run by torch: the reference, and the one for CUDA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from embedding.clip.towers import load_picture_tower, load_text_tower

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from embedding.clip.files import ClipFiles
    from embedding.clip.preprocess import Recipe
    from embedding.clip.runtime import RuntimeSettings

_TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


class TorchTower:
    """A tower with its weights on the device in the precision of the settings. Thread-safe.

    torch has one number of CPU threads for the whole process, which every calling thread takes over: the last model
    that was loaded sets it.
    """

    def __init__(self, module: torch.nn.Module, runtime: RuntimeSettings) -> None:
        self._device = torch.device(runtime.device)
        self._threads = runtime.threads
        self._module = module.to(self._device, _TYPES[runtime.precision]).requires_grad_(False)

    def __call__(self, *inputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Arrays [batch, ...] as the tower takes them -> float32 [batch, dimension], rows of unit length."""
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        with torch.inference_mode():
            # Pixels of a picture library are read-only, which torch warns of.
            tensors = [torch.tensor(each, device=self._device) for each in inputs]
            vectors: npt.NDArray[np.float32] = self._module(*tensors).cpu().numpy()
        return vectors


def load_towers(files: ClipFiles, recipe: Recipe, runtime: RuntimeSettings) -> tuple[TorchTower, TorchTower]:
    """The picture tower and the text tower. Raises ModelError."""
    return TorchTower(load_picture_tower(files, recipe), runtime), TorchTower(load_text_tower(files), runtime)
