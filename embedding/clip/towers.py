"""The towers as torch modules: transformers' own networks, from pixels or token numbers to unit vectors.

Both runtimes start from these: torch runs them, OpenVINO converts them. Normalising pixels and vectors is part of a
tower and computed in 32-bit floats, whatever the precision between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import normalize
from transformers import CLIPTextModelWithProjection, CLIPVisionModelWithProjection, DistilBertModel
from transformers.utils import logging

from embedding.clip import sentence_files
from embedding.clip.files import read_json, weight_file
from havengate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from embedding.clip.files import ClipFiles
    from embedding.clip.preprocess import Recipe

_SHOWN = 3


class PictureTower(torch.nn.Module):
    """uint8 [batch, height, width, 3] -> float32 [batch, dimension], rows of unit length."""

    def __init__(self, network: CLIPVisionModelWithProjection, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        self.scale = recipe.scale
        # Buffers would follow the network into 16 bits.
        self.mean, self.std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (recipe.mean, recipe.std))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        channels = pixels.permute(0, 3, 1, 2).to(torch.float32) * self.scale
        normal = (channels - self.mean.to(pixels.device)) / self.std.to(pixels.device)
        embeds = self.network(pixel_values=normal.to(self.network.dtype)).image_embeds
        return normalize(embeds.to(torch.float32), dim=-1)


class ClipTextTower(torch.nn.Module):
    """int64 [batch, length], filled up behind the end token -> float32 [batch, dimension], rows of unit length.

    Attention looks back only and the vector is the end token's, so what stands behind it does not matter.
    """

    def __init__(self, network: CLIPTextModelWithProjection) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:  # noqa: ARG002  the towers' common call
        return normalize(self.network(input_ids=ids).text_embeds.to(torch.float32), dim=-1)


class SentenceTower(torch.nn.Module):
    """A sentence-transformers model: network, mean over the tokens of the mask, dense layer; at unit length."""

    def __init__(self, network: DistilBertModel, dense: torch.nn.Linear) -> None:
        super().__init__()
        self.network = network
        self.dense = dense

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = self.network(input_ids=ids, attention_mask=mask).last_hidden_state.to(torch.float32)
        weights = mask.unsqueeze(-1).to(torch.float32)
        mean = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return normalize(self.dense(mean.to(self.dense.weight.dtype)).to(torch.float32), dim=-1)


def load_picture_tower(files: ClipFiles, recipe: Recipe) -> PictureTower:
    """Raises ModelError for missing or misshapen weights, and for another dimension or side than is said."""
    network = _pretrained(CLIPVisionModelWithProjection, files.picture, "picture tower")
    _check_dimension(files, files.picture, network.visual_projection.out_features)
    side = network.config.image_size
    if recipe.crop != (side, side):
        raise ModelError(f"{files.picture}: pictures are cropped to {recipe.crop}, the tower takes {side} x {side}")
    return PictureTower(network, recipe).eval()


def load_text_tower(files: ClipFiles) -> ClipTextTower | SentenceTower:
    """Raises ModelError for missing or misshapen weights, and for another dimension than is said."""
    if files.text_kind == "multilingual":
        sentence = _sentence_tower(files.text)
        _check_dimension(files, files.text, sentence.dense.out_features)
        return sentence.eval()
    network = _pretrained(CLIPTextModelWithProjection, files.text, "text tower")
    _check_dimension(files, files.text, network.text_projection.out_features)
    return ClipTextTower(network).eval()


def _sentence_tower(folder: Path) -> SentenceTower:
    network = _pretrained(DistilBertModel, folder, "text tower")
    weight, bias = sentence_files.read_dense(folder)
    if weight.shape[1] != network.config.dim:
        raise ModelError(
            f"{folder}: the dense layer takes {weight.shape[1]} numbers, the network has {network.config.dim}"
        )
    dense = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    dense.load_state_dict({"weight": weight} if bias is None else {"weight": weight, "bias": bias})
    return SentenceTower(network, dense)


def _pretrained(network: type[Any], folder: Path, what: str) -> Any:
    """A network with all of its weights from the folder's safetensors files, in 32-bit floats, or ModelError."""
    weight_file(folder)
    read_json(folder, "config.json")
    # A library's progress bars and advice do not belong into a server's log.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        loaded, found = network.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            # Reported below with both shapes, instead of a page of advice.
            ignore_mismatched_sizes=True,
        )
    except Exception as error:
        raise ModelError(f"{folder}: the {what} cannot be loaded: {error}") from error
    wrong = [f"{name} is {list(has)} instead of {list(wants)}" for name, has, wants in found["mismatched_keys"]]
    # Without this the network would compute with random numbers.
    wrong += [f"{name} is missing" for name in sorted(found["missing_keys"])]
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise ModelError(f"{folder}: weights of the {what}: {'; '.join(wrong[:_SHOWN])}{more}")
    return loaded


def _check_dimension(files: ClipFiles, folder: Path, found: int) -> None:
    if found != files.dimension:
        raise ModelError(f"{folder}: the projection has {found} dimensions, the catalogue says {files.dimension}")
