"""How busy models are, for whoever watches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """``waiting`` by model and kind (texts, pictures); texts since the start whose vectors were known, and not."""

    waiting: Mapping[tuple[str, str], int]
    text_hits: int
    text_misses: int
