"""Repositories as the hub has them, with random bytes for weights, and pulls of them."""

import random

from embedding.catalogue import find_entry
from embedding.weights.hub import Hub
from embedding.weights.pull import pull
from embedding.weights.store import open_store
from havengate.setting_groups import EmbeddingSettings

PICTURES, TEXTS = "openai/clip-vit-base-patch32", "sentence-transformers/clip-ViT-B-32-multilingual-v1"


def some_bytes(size, seed):
    return random.Random(seed).randbytes(size)


def clip_files(seed=1):
    return {
        ".gitattributes": b"*.bin",
        "README.md": b"# a model",
        "config.json": b'{"model_type": "clip"}',
        "model.safetensors": some_bytes(3_000_000, seed),
        "pytorch_model.bin": some_bytes(20_000, 7),
        "flax_model.msgpack": some_bytes(20_000, 8),
        "preprocessor_config.json": b"{}",
        "tokenizer.json": some_bytes(15_000, 9),
        "merges.txt": b"a b",
    }


def sentence_files():
    return {
        "config.json": b'{"model_type": "distilbert"}',
        "model.safetensors": some_bytes(50_000, 2),
        "modules.json": b"[]",
        "tokenizer.json": b"{}",
        "vocab.txt": b"[PAD]",
        "1_Pooling/config.json": b"{}",
        "2_Dense/config.json": b"{}",
        "2_Dense/model.safetensors": some_bytes(12_000, 3),
        "2_Dense/pytorch_model.bin": some_bytes(12_000, 4),
        "onnx/model.onnx": some_bytes(12_000, 5),
    }


class Place:
    """A models folder, and pulls into it with a source that does not wait between attempts."""

    def __init__(self, hub, folder):
        self.hub, self.folder, self.arrived = hub, folder, []

    def store(self, name="clip", **settings):
        settings = EmbeddingSettings(models_dir=self.folder, **settings)
        return open_store(self.folder, find_entry(name, settings))

    def bar(self, total):
        self.arrived = [total]
        return self.arrived.append

    def pull(self, name="clip", *, source=None, accept=False, token="", **settings):
        source = source or Hub(self.hub.url, token, pause_s=0)
        return pull(self.store(name, **settings), source, self.bar, accept=accept)

    def names(self, name="clip"):
        folder = self.folder / name
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
