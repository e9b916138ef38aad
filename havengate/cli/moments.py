"""How times, counts and progress stand in lines for people."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

_MINUTE_S, _HOUR_S = 60, 3600
_COUNTS = (("read", "read"), ("written", "in"), ("deleted", "deleted"), ("rejected", "rejected"))


def moment(seconds: float | None) -> str:
    """Local time."""
    return "-" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def duration(seconds: float) -> str:
    """``12.3 s``, ``4 min 05 s``, ``2 h 07 min``."""
    if seconds < _MINUTE_S:
        return f"{seconds:.1f} s"
    if seconds < _HOUR_S:
        return f"{int(seconds) // _MINUTE_S} min {int(seconds) % _MINUTE_S:02} s"
    return f"{int(seconds) // _HOUR_S} h {int(seconds) % _HOUR_S // _MINUTE_S:02} min"


def counts(numbers: Mapping[str, Any]) -> str:
    """``120 read, 118 in, 2 rejected``; what is zero is left out."""
    return ", ".join(f"{numbers[name]:,} {word}" for name, word in _COUNTS if numbers.get(name))


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
