"""How many cores this process may use: by affinity, and by the quota of its container."""

from __future__ import annotations

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota: Path = _QUOTA) -> int:
    """At least 1. A quota of cgroup v2 is rounded down: a thread too many waits for the next period."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        most, period = quota.read_text().split()
        return max(1, min(cores, int(most) // int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        # No container, or "max": no quota.
        return cores
