"""Files by content: hashes, and copies that appear whole."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from embedding.weights.lock import FileRecord

if TYPE_CHECKING:
    from pathlib import Path


def sha256_of(file: Path) -> str:
    """Of the file's content, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def git_hash_of(file: Path) -> str:
    """The id that git gives this content: what the hub knows of files that are not large."""
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def record_of(file: Path) -> FileRecord:
    """Hash and size, as a lock file has them."""
    return FileRecord(sha256_of(file), file.stat().st_size)
