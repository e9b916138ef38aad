"""OpenVINO graphs of the towers in the cache folder, made at the first use.

Weights are kept in 32-bit floats, so that one graph serves every precision.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from embedding.clip.tokens import STEP
from havengate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import openvino as ov
    import torch

    from embedding.clip.files import ClipFiles
    from embedding.clip.preprocess import Recipe

VERSION = 1
"""Raise it with every change to towers.py or to how they are converted."""

_GRAPH = "tower.xml"
_PARTIAL = ".partial"


class Graphs(NamedTuple):
    picture: Path
    text: Path


def converted(files: ClipFiles, recipe: Recipe, say: Callable[[str], object] = lambda _: None) -> Graphs:
    """Where the graphs of both towers are; what is not there yet is converted, by one process at a time.

    ``say`` gets the name of each tower before it is. Raises ModelError where torch or transformers are needed for that
    and not installed.
    """
    picture = _place(files, "picture", files.picture_source, recipe.name)
    text = _place(files, "text", files.text_source, files.text_kind)
    if not (picture.is_file() and text.is_file()):
        with _only_one(files.cache):
            _convert_missing(files, recipe, Graphs(picture, text), say)
    return Graphs(picture, text)


def _place(files: ClipFiles, *what: str) -> Path:
    key = hashlib.sha256("\n".join((str(VERSION), str(files.dimension), *what)).encode()).hexdigest()
    return files.cache / f"f32-{key[:16]}" / _GRAPH


@contextmanager
def _only_one(cache: Path) -> Iterator[None]:
    """Several gateways may start on one folder; who waited finds the graphs made."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # What a kill left behind.
        shutil.rmtree(cache / _PARTIAL, ignore_errors=True)
        yield


def _convert_missing(files: ClipFiles, recipe: Recipe, graphs: Graphs, say: Callable[[str], object]) -> None:
    try:
        from embedding.clip.towers import load_picture_tower, load_text_tower
    except ModuleNotFoundError as error:
        raise ModelError(
            f"{files.cache} has no converted graphs yet, and making them needs {error.name}: "
            "pip install 'havengate[clip]'"
        ) from error
    if not graphs.picture.is_file():
        say("picture")
        _save(lambda: _picture_graph(load_picture_tower(files, recipe), recipe), graphs.picture)
    if not graphs.text.is_file():
        say("text")
        _save(lambda: _text_graph(load_text_tower(files)), graphs.text)


def _picture_graph(tower: torch.nn.Module, recipe: Recipe) -> ov.Model:
    import torch

    height, width = recipe.crop
    graph = _graph(tower, torch.zeros((2, height, width, 3), dtype=torch.uint8))
    graph.reshape([-1, height, width, 3])
    return graph


def _text_graph(tower: torch.nn.Module) -> ov.Model:
    import torch

    # One text shorter than the other: the mask has to have an effect while it is traced.
    mask = torch.ones((2, STEP), dtype=torch.int64)
    mask[1, STEP // 2 :] = 0
    return _graph(tower, torch.zeros((2, STEP), dtype=torch.int64), mask)


def _graph(tower: torch.nn.Module, *example: torch.Tensor) -> ov.Model:
    import openvino as ov
    import torch

    with torch.inference_mode(), warnings.catch_warnings():
        # Tracing is deprecated and warns of every Python condition; what it makes is compared in the tests.
        warnings.simplefilter("ignore")
        return ov.convert_model(tower, example_input=example)


def _save(make: Callable[[], ov.Model], place: Path) -> None:
    """Complete or not there at all, also after a power failure."""
    import openvino as ov

    partial = place.parent.parent / _PARTIAL
    partial.mkdir()
    ov.save_model(make(), partial / _GRAPH, compress_to_fp16=False)
    for file in partial.iterdir():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
    shutil.rmtree(place.parent, ignore_errors=True)
    partial.rename(place.parent)
