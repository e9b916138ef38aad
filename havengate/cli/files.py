"""Large files between folders of one machine."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from havengate.errors import EngineError, SourceError

if TYPE_CHECKING:
    from pathlib import Path


def move(file: Path, to: Path) -> None:
    """Whole or not at all, and synced. Raises EngineError; then ``file`` is where it was."""
    try:
        _name(file, to)
        file.unlink()
    except OSError as error:
        raise EngineError(f"{to}: {error.strerror}; the backup is {file}") from error


def bring(file: Path, to: Path) -> None:
    """A second name for the file, or a copy on another disk. Raises SourceError, EngineError."""
    if file.exists() and not file.is_file():
        # A device or a pipe may have no end.
        raise SourceError(f"backup {file}: not a file")
    try:
        file.open("rb").close()
    except OSError as error:
        raise SourceError(f"backup {file}: {error.strerror}") from error
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        _name(file, to)
    except OSError as error:
        raise EngineError(f"{to}: {error.strerror}") from error


def _name(file: Path, to: Path) -> None:
    """Raises FileExistsError where the name is taken, which a rename would not."""
    try:
        os.link(file, to)
    except FileExistsError:
        raise
    except OSError:
        # Another disk, or somebody else's file.
        _copy(file, to)


def _copy(file: Path, to: Path) -> None:
    with file.open("rb") as source, to.open("xb") as out:
        to.chmod(0o600)
        try:
            shutil.copyfileobj(source, out, 1 << 20)
            out.flush()
            os.fsync(out.fileno())
        except BaseException:
            to.unlink()
            raise
