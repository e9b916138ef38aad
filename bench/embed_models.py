"""CLIP ViT-B/32 and the multilingual text tower in their real sizes, with random weights: speed does not depend on
them. Saved as the folders that `havengate models pull` makes; the tokenizer knows single letters only.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, DistilBertConfig, DistilBertModel
from transformers import DistilBertTokenizer as Tokenizer
from transformers.utils.logging import disable_progress_bar

from embedding.clip.files import ClipFiles

disable_progress_bar()
LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DIMENSION = 512
_SENTENCE_TRANSFORMERS = ((0, "", "Transformer"), (1, "1_Pooling", "Pooling"), (2, "2_Dense", "Dense"))


def text_of(tokens: int, number: int = 0) -> str:
    """A text of so many tokens, the start and the end among them."""
    return " ".join(LETTERS[(number + n) % len(LETTERS)] for n in range(tokens - 2))


def save_models(folder: Path) -> ClipFiles:
    torch.manual_seed(0)
    picture, text = folder / "picture", folder / "text-multilingual"
    CLIPModel(CLIPConfig()).save_pretrained(picture)
    CLIPImageProcessorPil().save_pretrained(picture)
    _save_texts(text)
    return ClipFiles(picture, text, "multilingual", _DIMENSION, "random-picture", "random-text", folder / "openvino")


def _save_texts(folder: Path) -> None:
    """As sentence-transformers/clip-ViT-B-32-multilingual-v1: DistilBERT, mean pooling, a dense layer."""
    config = DistilBertConfig(vocab_size=119_547)
    DistilBertModel(config).save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS]
    Tokenizer({word: number for number, word in enumerate(words)}, do_lower_case=False).save_pretrained(folder)
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, path, kind in _SENTENCE_TRANSFORMERS
    ]
    _write(folder / "modules.json", modules)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": 128, "do_lower_case": False})
    _write(folder / "1_Pooling/config.json", {"word_embedding_dimension": config.dim, "pooling_mode_mean_tokens": True})
    dense = {"in_features": config.dim, "out_features": _DIMENSION, "bias": False}
    _write(folder / "2_Dense/config.json", dense | {"activation_function": "torch.nn.modules.linear.Identity"})
    save_file({"linear.weight": torch.randn(_DIMENSION, config.dim) / 28}, folder / "2_Dense/model.safetensors")


def _write(file: Path, content: object) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content))


class PlainTransformers:
    """What one writes with transformers alone, in 32-bit floats: the ratio's other side."""

    def __init__(self, files: ClipFiles, device: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._device = torch.device(device)
        self._pictures = CLIPModel.from_pretrained(files.picture).eval().to(self._device)
        self._texts = DistilBertModel.from_pretrained(files.text).eval().to(self._device)
        self._processor = CLIPImageProcessorPil.from_pretrained(files.picture)
        self._dense = torch.randn(_DIMENSION, 768, device=self._device) / 28

    def prepare(self, pictures: list) -> torch.Tensor:
        return self._processor(images=pictures, return_tensors="pt")["pixel_values"]

    @torch.inference_mode()
    def embed_pictures(self, values: torch.Tensor) -> object:
        projected = self._pictures.get_image_features(pixel_values=values.to(self._device))
        projected = getattr(projected, "pooler_output", projected)
        return torch.nn.functional.normalize(projected).cpu().numpy()

    @torch.inference_mode()
    def embed_texts(self, texts: list[str]) -> object:
        ids = torch.tensor([[2, *(5 + LETTERS.index(word) for word in text.split()), 3] for text in texts])
        hidden = self._texts(input_ids=ids.to(self._device)).last_hidden_state.mean(1)
        return torch.nn.functional.normalize(hidden @ self._dense.T).cpu().numpy()
