"""A sentence-transformers folder: which modules follow each other, and the dense layer's weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedding.clip.files import read_json, weight_file
from havengate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

_MODULES = ("Transformer", "Pooling", "Dense")
_IDENTITY = "torch.nn.modules.linear.Identity"


def max_tokens(folder: Path) -> int | None:
    """The longest text in tokens, where the folder says it."""
    if not (folder / "sentence_bert_config.json").is_file():
        return None
    given = read_json(folder, "sentence_bert_config.json").get("max_seq_length")
    return None if given is None else int(given)


def read_dense(folder: Path) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Weight [out, in] and bias of the dense layer, in 32-bit floats.

    Raises ModelError for modules other than a transformer, mean pooling and one linear dense layer.
    """
    import torch
    from safetensors.torch import load_file

    pooling, dense = (folder / str(module["path"]) for module in _modules(folder)[1:])
    _check_pooling(pooling)
    config = read_json(dense, "config.json")
    if config.get("activation_function", _IDENTITY) != _IDENTITY:
        raise ModelError(f"{dense}: activation {config['activation_function']} is not in this version")
    tensors = load_file(weight_file(dense))
    wanted = ("linear.weight", "linear.bias") if config.get("bias", True) else ("linear.weight",)
    missing = [name for name in wanted if name not in tensors]
    if missing:
        raise ModelError(f"{dense}: {', '.join(missing)} is missing")
    weight, *bias = (tensors[name].to(torch.float32) for name in wanted)
    says = [int(config[key]) for key in ("out_features", "in_features") if key in config]
    if len(says) == 2 and list(weight.shape) != says:  # noqa: PLR2004  a matrix
        raise ModelError(f"{dense}: linear.weight is {list(weight.shape)} instead of {says}")
    return weight, bias[0] if bias else None


def _modules(folder: Path) -> list[dict[str, Any]]:
    import json

    try:
        modules = json.loads((folder / "modules.json").read_bytes())
        kinds = tuple(str(module["type"]).rpartition(".")[2] for module in modules)
    except FileNotFoundError as error:
        raise ModelError(f"{folder}: modules.json is missing") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{folder / 'modules.json'} cannot be read: {error}") from error
    if kinds != _MODULES:
        raise ModelError(f"{folder / 'modules.json'}: {', '.join(kinds)} instead of {', '.join(_MODULES)}")
    if modules[0].get("path"):
        raise ModelError(f"{folder / 'modules.json'}: the transformer stands in {modules[0]['path']}, not at the root")
    return list(modules)


def _check_pooling(folder: Path) -> None:
    config = read_json(folder, "config.json")
    modes = {name for name, on in config.items() if name.startswith("pooling_mode_") and on is True}
    mean = modes == {"pooling_mode_mean_tokens"} or (not modes and config.get("pooling_mode") in ("mean", ["mean"]))
    if not mean:
        raise ModelError(f"{folder}: pooling other than the mean of the tokens is not in this version")
