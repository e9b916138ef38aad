"""A file that is read again from a checkpoint has to be the same file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from havengate.errors import SourceChanged, SourceError
from ingest.sources.base import Checkpoint


def identity(path: Path) -> dict[str, object]:
    """What tells a file from a changed one: its size in bytes and when it was written, in nanoseconds of the epoch."""
    with reading(path):
        status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def check_identity(path: Path, after: Checkpoint) -> dict[str, object]:
    """The file's identity. Raises SourceChanged where it is not the checkpoint's."""
    now = identity(path)
    if any(after.get(name) != value for name, value in now.items()):
        raise SourceChanged(f"{path} is not what it was when its rows began to be read: begin again with a new job")
    return now


@contextmanager
def unchanged(path: Path, after: Checkpoint | None) -> Iterator[dict[str, object]]:
    """The file's identity, which is the checkpoint's, and the same when the context ends. Raises SourceChanged."""
    same = check_identity(path, after) if after else identity(path)
    yield same
    check_identity(path, same)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Trouble of the file system, or of a broken gzip file, as SourceError."""
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SourceError(f"{path} cannot be read: {reason}") from error
