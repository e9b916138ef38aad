"""Stage 4: pictures to the classifier's pooled features, kept in shards so that a stop costs one of them.

A shard holds the features of consecutive pictures of one set, float16. Each process has a network of its own with
one thread.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from tqdm import tqdm

from embedding.builtin.identity import PREPROCESSING
from embedding.builtin.training import augment

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from embedding.builtin.network import PictureTower

_SHARD = 512
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Sample:
    """A file and what becomes of it: variant 0 is the picture itself, the others are augmented.

    ``ground`` is a photo for behind a drawing; a photo of clothes has none. ``name`` seeds the randomness.
    """

    path: Path
    name: str
    variant: int
    ground: Path | None = None


def extract(samples: Sequence[Sample], folder: Path, seed: int) -> npt.NDArray[np.float32]:
    """Features [samples, 1280], computed where ``folder`` lacks those of these very samples."""
    kept = folder.with_name(f"{folder.name}-{_digest(samples, seed)}")
    kept.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(samples), _SHARD)
    shards = [(kept / f"{number:04d}.npy", samples[at : at + _SHARD]) for number, at in enumerate(starts)]
    missing = [(path, part) for path, part in shards if not path.exists()]
    if missing:
        with ProcessPoolExecutor(_cores(), get_context("spawn")) as pool:
            jobs = {pool.submit(_make_shard, path, part, seed): len(part) for path, part in missing}
            with tqdm(total=sum(jobs.values()), desc=f"features of {folder.name}", unit="picture") as bar:
                for job in as_completed(jobs):
                    job.result()
                    bar.update(jobs[job])
    return np.concatenate([np.load(path) for path, _ in shards]).astype(np.float32)


def picture_of(sample: Sample, seed: int) -> Image.Image:
    """The sample's RGB picture."""
    rng = augment.generator(seed, sample.name, sample.variant)
    with Image.open(sample.path) as file:
        if sample.ground is None:
            photo = file.convert("RGB")
            return augment.photo_variant(photo, rng) if sample.variant else photo
        drawing = file.convert("RGBA")
    if not sample.variant:
        return augment.clean_drawing(drawing)
    return augment.drawing_variant(drawing, _ground(sample.ground), rng)


def pooled(pictures: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
    """Pooled features [pictures, 1280] of RGB pictures, as the product prepares them."""
    from embedding.builtin.preprocess import prepare

    tower = _tower()
    pixels = [prepare(picture) for picture in pictures]
    return np.concatenate([tower(np.stack(pixels[at : at + _BATCH])) for at in range(0, len(pixels), _BATCH)])


def _digest(samples: Sequence[Sample], seed: int) -> str:
    """Of all that decides the features: other photos or another augmentation are not taken for these."""
    digest = hashlib.sha256(Path(augment.__file__).read_bytes())
    digest.update(f"{seed} {PREPROCESSING}".encode())
    for sample in samples:
        ground = sample.ground.name if sample.ground else ""
        digest.update(f"{sample.name} {sample.variant} {sample.path.stat().st_size} {ground}\n".encode())
    return digest.hexdigest()[:12]


def _make_shard(path: Path, samples: Sequence[Sample], seed: int) -> None:
    parts = [samples[at : at + _BATCH] for at in range(0, len(samples), _BATCH)]
    rows = np.concatenate([pooled([picture_of(sample, seed) for sample in part]) for part in parts])
    with (part := path.with_suffix(".part")).open("wb") as file:
        np.save(file, rows.astype(np.float16))
    part.replace(path)


@lru_cache(maxsize=1)
def _tower() -> PictureTower:
    """One per process, made at its first picture."""
    from embedding.builtin.model import read_weights
    from embedding.builtin.network import PictureTower, feature_graph

    return PictureTower(feature_graph(read_weights()), threads=1)


@lru_cache(maxsize=64)
def _ground(path: Path) -> Image.Image:
    with Image.open(path) as file:
        return file.convert("RGB")


def _cores() -> int:
    return len(os.sched_getaffinity(0))
