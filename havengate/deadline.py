"""How long a search may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from havengate.errors import TimedOut

Clock = Callable[[], float]
"""Seconds from any fixed moment."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """``seconds`` None: there is none. It is looked at between stages; an engine may cut its own short by ``left``."""

    seconds: float | None
    start: float
    clock: Clock

    @classmethod
    def after(cls, seconds: float | None, clock: Clock) -> Deadline:
        return cls(seconds, clock(), clock)

    def check(self, stage: str) -> None:
        """Raises TimedOut once more than ``seconds`` have gone by; ``stage`` is the one that was done last."""
        if self.seconds is not None and self.clock() - self.start > self.seconds:
            raise TimedOut(f"the search may take {self.seconds:g} s, which were over after its stage {stage!r}")

    @property
    def left(self) -> float | None:
        return None if self.seconds is None else self.seconds - (self.clock() - self.start)
