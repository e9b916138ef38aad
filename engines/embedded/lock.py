"""One process holds a data folder: flock on its ``lock`` file, which the kernel frees however the process ends."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

from havengate.errors import DataFolderBusy

_POLL_S = 0.05


class FolderLock:
    """An exclusive lock on a data folder, held until ``release``."""

    def __init__(self, data_dir: Path, wait_s: float = 0) -> None:
        """Creates the folder and polls for the lock up to ``wait_s`` seconds.

        Raises DataFolderBusy naming the holder, OSError where the folder cannot be made or written.
        """
        data_dir.mkdir(parents=True, exist_ok=True)
        path = data_dir / "lock"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            _acquire(self._fd, data_dir, wait_s)
            os.truncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        # The file stays: unlinking it would let two processes lock two files of one name.
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _acquire(fd: int, data_dir: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise DataFolderBusy(
                    f"data folder {data_dir} is in use by {_holder(data_dir)}; stop it or choose another folder"
                ) from None
        time.sleep(_POLL_S)


def _holder(data_dir: Path) -> str:
    """The server that a person would stop, else whoever holds the lock (a server's worker process)."""
    try:
        server = json.loads((data_dir / "server.json").read_text())
        os.kill(int(server["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        # The pid is empty for the instant between another process's lock and its write.
        pid = (data_dir / "lock").read_text().strip()
        return f"pid {pid}" if pid else "another process"
    return f"the server at {server.get('url')}, pid {server['pid']}"
