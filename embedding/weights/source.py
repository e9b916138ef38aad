"""Where a repository's files come from: what a hub and a folder have in common."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from embedding.weights.files import git_hash_of, sha256_of
from havengate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from embedding.entry import Part
    from embedding.weights.lock import FileRecord

Progress = Callable[[int], object]
"""Told of bytes that arrived, or (below 0) that have to come again."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What a source says of a file before it is fetched; None for what it does not say."""

    size: int | None = None
    sha256: str | None = None
    git_hash: str | None = None

    @property
    def known(self) -> bool:
        """Whether a file can be told to be this one."""
        return self.sha256 is not None or self.git_hash is not None

    def fits(self, file: Path, record: FileRecord) -> bool:
        """Whether this is the file, as far as the source says anything of it."""
        if self.size not in (None, record.size):
            return False
        if self.sha256 is not None:
            return self.sha256 == record.sha256
        return self.git_hash is None or self.git_hash == git_hash_of(file)


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at one commit (empty where the source knows none): its files by name."""

    commit: str
    files: Mapping[str, Announced]


class Source(Protocol):
    """Both methods raise ModelError, which says what to do."""

    def look(self, part: Part, commit: str = "") -> Listing:
        """The repository at that commit, or else at the part's revision."""

    def fetch(self, part: Part, commit: str, name: str, target: Path, progress: Progress) -> None:
        """One file; ``target`` may hold the beginning of it, and does so after an error."""


@dataclass(frozen=True, slots=True)
class PlainFolder:
    """One repository's files in a folder. With ``link`` they stay there and are only pointed to."""

    folder: Path
    commit: str = ""
    link: bool = False

    def look(self, part: Part, commit: str = "") -> Listing:  # noqa: ARG002  (a folder has the one commit)
        files = {path.relative_to(self.folder).as_posix(): path for path in sorted(self.folder.rglob("*"))}
        found = {name: path for name, path in files.items() if path.is_file()}
        return Listing(self.commit, {name: _announced(path, part.takes(name)) for name, path in found.items()})

    def fetch(self, part: Part, commit: str, name: str, target: Path, progress: Progress) -> None:  # noqa: ARG002
        file, begun = self.folder / name, target.stat().st_size if target.exists() else 0
        target.unlink(missing_ok=True)
        try:
            if self.link:
                target.symlink_to(file.resolve())
            else:
                shutil.copyfile(file, target)
        except OSError as error:
            raise ModelError(f"{file} cannot be copied: {error.strerror or error}") from error
        progress(target.stat().st_size - begun)


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A folder with repositories as ``OWNER/NAME``, or as the hub's own client keeps them in its cache."""

    folder: Path

    def look(self, part: Part, commit: str = "") -> Listing:
        return self._find(part).look(part, commit)

    def fetch(self, part: Part, commit: str, name: str, target: Path, progress: Progress) -> None:
        self._find(part).fetch(part, commit, name, target, progress)

    def _find(self, part: Part) -> PlainFolder:
        plain = self.folder / part.repository
        if plain.is_dir():
            return PlainFolder(plain)
        cached = self.folder / f"models--{part.repository.replace('/', '--')}"
        reference = cached / "refs" / part.revision
        commit = reference.read_text().strip() if reference.is_file() else part.revision
        if (cached / "snapshots" / commit).is_dir():
            return PlainFolder(cached / "snapshots" / commit, commit)
        raise ModelError(f"HAVENGATE_EMBEDDING__OFFLINE: {self.folder} has no folder {part.repository}")


def _announced(file: Path, hashed: bool) -> Announced:
    return Announced(file.stat().st_size, sha256_of(file) if hashed else None)
