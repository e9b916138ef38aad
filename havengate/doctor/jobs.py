"""Jobs that need somebody: failed, left behind, or waiting for a worker that is not there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from havengate.errors import JobError

if TYPE_CHECKING:
    from havengate.settings import Settings
    from ingest.administration import Administration

_SILENT_S = 600.0
_MOST = 1000


def jobs(served: Administration | None, settings: Settings) -> str:
    """Raises JobError naming the jobs and what to do about them."""
    from ingest.administration import open_job_desk

    desk = open_job_desk(settings, "doctor") if served is None else served
    try:
        trouble = [line for state in ("failed", "running", "queued") for line in _trouble(desk, state)]
        busy = len(desk.jobs(state="running", limit=_MOST))
    finally:
        if served is None:
            desk.close()  # type: ignore[union-attr]
    if trouble:
        raise JobError("; ".join(trouble))
    return f"{busy} running, none that needs anybody"


def _trouble(desk: Any, state: str) -> list[str]:
    now = time.time()
    found = []
    for job in desk.jobs(state=state, limit=_MOST):
        silent = now - max(job["heartbeat"], job["created"], job["not_before"])
        name = f"job {job['id']} ({job['kind']} of {job['table']})"
        if state == "failed":
            found.append(f"{name} failed: {job['message']}; `havengate job retry {job['id']}` or `job cancel`")
        elif state == "running" and silent > _SILENT_S:
            found.append(f"{name} has said nothing for {silent:.0f} s; `havengate worker` takes it over")
        elif state == "queued" and silent > _SILENT_S:
            found.append(f"{name} waits for somebody who runs jobs: `havengate serve` or `havengate worker`")
    return found
