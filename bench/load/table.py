"""The table that the load is on: photos of the demo with their vectors, and as many that lie near them as are asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from havengate.documents import Command
from havengate.images import decode_picture
from havengate.services import Services
from schemas.settings import TableSettings
from schemas.templates import template

NAME = "load"
MODEL = "builtin"
CATEGORIES = 20
ROWS_AT_LEAST = 500
FIRST_PUSHED, PUSHED = 1_000_000, 1_000
_PHOTOS = Path(__file__).parents[2] / "examples" / "general"
_CALL = 100
_NOISE = 0.02


def pictures() -> Iterator[bytes]:
    """Photos of 20 to 60 kB."""
    for path in sorted(_PHOTOS.glob("*.jpg"))[:12]:
        yield path.read_bytes()


def make(services: Services, rows: int) -> None:
    import numpy as np

    made = services.tables.create(NAME, template("base64", model=MODEL), TableSettings())
    limits = services.settings.limits
    photos = np.stack(services.embedding.embed_pictures(MODEL, [decode_picture(data, limits) for data in pictures()]))
    numbers = np.random.default_rng(9)
    for first in range(0, rows, _CALL):
        keys = range(first, min(rows, first + _CALL))
        vectors = photos[numbers.integers(len(photos), size=len(keys))]
        vectors = vectors + _NOISE * numbers.standard_normal(vectors.shape)
        fields = [
            {"id": key, "cate_id": key % CATEGORIES, "vector": vector.tolist()}
            for key, vector in zip(keys, vectors.astype(np.float32), strict=True)
        ]
        report = services.documents.push(made, [Command("add", row) for row in fields])
        assert not report.failures, report.failures[0]
