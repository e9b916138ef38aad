"""Looks at a model: ``python -m embedding.evaluate FOLDER QUERY=PREFIX ...``.

Embeds the .jpg files of a folder, asks each query, and prints the share of the first ten whose file name starts
with the prefix, beside the names themselves; then how long loading, a picture and a text took.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from embedding.catalogue import BUILTIN
from embedding.service import EmbeddingService
from havengate.setting_groups import EmbeddingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

InputT = TypeVar("InputT")
ResultT = TypeVar("ResultT")
_FIRST = 10


def main(folder: Path, queries: list[str]) -> None:
    """Prints the report to standard output."""
    service = EmbeddingService(EmbeddingSettings(text_cache=0))
    (_, load_s) = _timed(service.warm_up, [[BUILTIN]])
    paths = sorted(folder.glob("*.jpg"))
    rows, picture_s = _timed(lambda path: service.embed_pictures(BUILTIN, [_open(path)])[0], paths)
    pairs = [query.rpartition("=")[::2] for query in queries]
    texts, text_s = _timed(lambda pair: service.embed_text(BUILTIN, pair[0]), pairs)
    for (query, prefix), vector in zip(pairs, texts, strict=True):
        names = _nearest(np.stack(rows), vector, paths)
        share = sum(name.startswith(prefix) for name in names) / len(names)
        _say(f"{share:.1f} {query}: {' '.join(names)}")
    _say(f"load {load_s:.2f} s, picture {1000 * picture_s:.1f} ms with decoding, text {1000 * text_s:.1f} ms (medians)")
    service.close()


def _nearest(rows: npt.NDArray[np.float32], vector: npt.NDArray[np.float32], paths: list[Path]) -> list[str]:
    return [paths[i].stem for i in np.argsort(-(rows @ vector), kind="stable")[:_FIRST]]


def _open(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def _timed(call: Callable[[InputT], ResultT], inputs: Iterable[InputT]) -> tuple[list[ResultT], float]:
    """Results, and the median seconds of one call."""
    results, seconds = [], []
    for item in inputs:
        start = time.perf_counter()
        results.append(call(item))
        seconds.append(time.perf_counter() - start)
    return results, median(seconds)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
