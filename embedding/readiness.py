"""Whether models can embed now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Readiness:
    """``waiting``: still being loaded. ``failed``: why they could not be loaded, by name. ``away``: the server that
    has them does not answer.
    """

    waiting: frozenset[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)
    away: bool = False

    @property
    def complete(self) -> bool:
        return not (self.waiting or self.failed or self.away)
