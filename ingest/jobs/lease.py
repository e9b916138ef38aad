"""Who runs a job: flock on ``jobs/<id>.lock``, which the kernel frees however its holder ends.

So a dead owner is known at once, and nobody waits for a heartbeat to grow old.
"""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from ingest.jobs.rejects_file import rejects_file

_FOLDER = "jobs"


class Lease:
    """Held until ``release``."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    @staticmethod
    def take(data_dir: Path, job: int) -> Lease | None:
        """None where somebody holds it. Raises OSError where the folder cannot be written."""
        path = _path(data_dir, job)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except BaseException:
            file.close()
            raise
        return Lease(file)

    def release(self) -> None:
        # The file stays: unlinking it would let two processes lock two files of one name.
        self._file.close()


def forget(data_dir: Path, job: int) -> None:
    """Removes the files of a job that nobody will run again: its lock's, and its rejects'."""
    for path in (_path(data_dir, job), data_dir / rejects_file(job)):
        path.unlink(missing_ok=True)


def owner() -> str:
    """How people find the process that calls."""
    return f"{socket.gethostname()} pid {os.getpid()}"


def _path(data_dir: Path, job: int) -> Path:
    return data_dir / _FOLDER / f"{job}.lock"
