"""The rows that a job rejected as a file: a JSON object a line, for whoever mends them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.jobs.store import JobStore

_PAGE = 1000


def rejects_file(job: int) -> Path:
    """Where it stands in the data folder."""
    return Path("jobs") / f"{job}.rejects.jsonl"


def write_rejects(store: JobStore, data_dir: Path, job: int) -> None:
    """Writes ``place``, ``key`` and ``reason`` of every one so far, all or nothing. Raises OSError, EngineError."""
    path = data_dir / rejects_file(job)
    fresh = path.with_suffix(".new")
    with open(fresh, "w", encoding="utf-8", opener=_for_the_owner) as out:
        after = 0
        while page := store.rejects(job, after, _PAGE):
            for each in page:
                line = {"place": each.place, "key": each.pk, "reason": each.reason}
                out.write(f"{json.dumps(line, ensure_ascii=False)}\n")
            after = page[-1].id
    fresh.replace(path)


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
