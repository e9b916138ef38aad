"""Small CLIP models as real Hugging Face folders: random weights, the vocabulary of openai/CLIP, 512 dimensions.

Weights are larger than transformers makes them by default (``scale``), so that attention matters and inputs have
clearly different vectors.
"""

import functools
import gzip
import json
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextConfig,
    CLIPTokenizer,
    CLIPVisionConfig,
    DistilBertConfig,
    DistilBertModel,
    DistilBertTokenizer,
)

SIDE = 64
DIMENSION = 512
_SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4}
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'-éüñß鞋子红色的连衣裙摩托车头盔猫灯塔"


@functools.cache
def clip_vocabulary():
    """(token -> number, merges) from the first release's file."""
    folder = Path(find_spec("clip").submodule_search_locations[0])
    text = gzip.decompress((folder / "bpe_simple_vocab_16e6.txt.gz").read_bytes()).decode()
    merges = text.split("\n")[1 : 49152 - 256 - 2 + 1]
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = 256 - len(shown)
    letters = [chr(code) for code in shown] + [chr(256 + n) for n in range(hidden)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *(merge.replace(" ", "") for merge in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}, merges


def save_clip(folder, *, seed=0, legacy_end=True, tokenizer_json=False, dimension=DIMENSION, scale=5.0):
    """Both towers with tokenizer and preprocessing, as openai/clip-vit-base-patch32 has them."""
    folder.mkdir(parents=True, exist_ok=True)
    ends = {"bos_token_id": 0, "eos_token_id": 2} if legacy_end else {"bos_token_id": 49406, "eos_token_id": 49407}
    common = _SMALL | {"projection_dim": dimension, "initializer_factor": scale}
    config = CLIPConfig(
        text_config=CLIPTextConfig(**common, **ends, vocab_size=49408).to_dict(),
        vision_config=CLIPVisionConfig(**common, image_size=SIDE, patch_size=16).to_dict(),
        projection_dim=dimension,
    )
    torch.manual_seed(seed)
    CLIPModel(config).save_pretrained(folder)
    save_clip_tokenizer(folder, as_json=tokenizer_json)
    sizes = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    CLIPImageProcessorPil(**sizes).save_pretrained(folder)
    return folder


def save_clip_tokenizer(folder, *, as_json):
    numbers, merges = clip_vocabulary()
    if as_json:
        CLIPTokenizer(numbers, [tuple(merge.split()) for merge in merges], model_max_length=77).save_pretrained(folder)
    else:
        (folder / "vocab.json").write_text(json.dumps(numbers))
        (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
        (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "CLIPTokenizer", "model_max_length": 77}')


def save_multilingual(folder, *, seed=1, dimension=DIMENSION, longest=128):
    """A sentence-transformers folder: DistilBERT, mean pooling, a dense layer without bias."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_LETTERS, *(f"##{letter}" for letter in _LETTERS)]
    words += ["red", "shoe", "##s", "dress"]
    tokenizer = DistilBertTokenizer({word: n for n, word in enumerate(words)}, do_lower_case=False)
    tokenizer.save_pretrained(folder)
    config = DistilBertConfig(
        vocab_size=len(words), dim=64, hidden_dim=128, n_layers=3, n_heads=4, initializer_range=0.2
    )
    torch.manual_seed(seed)
    DistilBertModel(config).save_pretrained(folder)
    modules = ((0, "", "Transformer"), (1, "1_Pooling", "Pooling"), (2, "2_Dense", "Dense"))
    _write(folder / "modules.json", [_module(*module) for module in modules])
    _write(folder / "sentence_bert_config.json", {"max_seq_length": longest, "do_lower_case": False})
    _write(folder / "1_Pooling/config.json", {"word_embedding_dimension": 64, "pooling_mode_mean_tokens": True})
    dense = {"in_features": 64, "out_features": dimension, "bias": False}
    _write(folder / "2_Dense/config.json", dense | {"activation_function": "torch.nn.modules.linear.Identity"})
    save_file({"linear.weight": torch.randn(dimension, 64)}, folder / "2_Dense/model.safetensors")
    return folder


def _module(number, path, kind):
    return {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}


def _write(file, content):
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content))
