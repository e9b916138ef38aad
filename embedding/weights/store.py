"""Where models' files lie: ``<models folder>/<name>/<part>/``, with lock.json beside the parts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from embedding.weights.lock import Lock, lock_json, read_lock
from havengate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from embedding.entry import ModelEntry

LOCK = "lock.json"
ENTRY = "entry.json"
PULLING = ".pull"


class State(StrEnum):
    """``PARTIAL``: a pull was interrupted and can go on. ``DAMAGED``: what the lock file names is not all there."""

    MISSING = "missing"
    PARTIAL = "partial"
    READY = "ready"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class ModelStore:
    """The files of one model. Nothing is written unless a method says so."""

    folder: Path
    entry: ModelEntry

    @property
    def pulling(self) -> Path:
        """Where files stand until all of them are here."""
        return self.folder / PULLING

    @property
    def converted(self) -> Path:
        """Where graphs that were made of the files are kept."""
        return self.folder / "openvino"

    @property
    def lock_file(self) -> Path:
        return self.folder / LOCK

    def lock(self) -> Lock | None:
        """None before the first pull is complete. Raises ModelError for a file that cannot be read."""
        try:
            return read_lock(self.lock_file)
        except ModelError as error:
            again = f"`havengate models pull {self.entry.name} --accept` begins anew"
            raise ModelError(f"{error.message} ({again})") from error

    def state(self) -> State:
        """By names and sizes: takes no time. ``damage`` looks at every byte."""
        try:
            lock = self.lock()
        except ModelError:
            return State.DAMAGED
        if lock is None or any(name not in lock.parts for name in self.entry.parts):
            return State.PARTIAL if lock is not None or self.pulling.exists() else State.MISSING
        return State.DAMAGED if self._wrong_sizes(lock) else State.READY

    def require_lock(self) -> Lock:
        """The lock of a model that is ready. Raises ModelError with the command that makes it so."""
        state, name = self.state(), self.entry.name
        if state is State.READY and (lock := self.lock()) is not None:
            return lock
        command = f"`havengate models pull {name}`"
        if self.entry.local:
            command = f"`havengate models remove {name}`, then `havengate models add` again,"
        says = {
            State.MISSING: f"its weights are not here: {command} fetches them",
            State.PARTIAL: f"its weights are not all here: {command} fetches the rest",
        }.get(state, f"{', '.join(self._damaged_names()) or LOCK} damaged: {command} mends it")
        raise ModelError(f"model {name!r}: {says} (folder {self.folder})")

    def part_folder(self, part: str) -> Path:
        return self.folder / part

    def size(self) -> int:
        """Bytes of the files that are here, complete or not."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def damage(self) -> list[str]:
        """Files whose content is not what the lock file records. Reads all of them."""
        from embedding.weights.files import sha256_of

        lock = self.lock()
        if lock is None:
            return [LOCK]
        wrong = self._wrong_sizes(lock)
        for part, locked in lock.parts.items():
            for name, record in locked.files.items():
                place = f"{part}/{name}"
                if place not in wrong and sha256_of(self.folder / place) != record.sha256:
                    wrong.append(place)
        return wrong

    def write_lock(self, lock: Lock) -> None:
        """Replaces lock.json in one step; from then on the model is there."""
        write_atomically(self.lock_file, lock_json(lock))

    def _wrong_sizes(self, lock: Lock) -> list[str]:
        return [
            f"{part}/{name}"
            for part, locked in lock.parts.items()
            for name, record in locked.files.items()
            if _size(self.folder / part / name) != record.size
        ]

    def _damaged_names(self) -> list[str]:
        try:
            lock = self.lock()
        except ModelError:
            return []
        return [] if lock is None else self._wrong_sizes(lock)


def open_store(models_dir: Path, entry: ModelEntry) -> ModelStore:
    """The model's place in the models folder; nothing is made."""
    return ModelStore(models_dir / entry.name, entry)


def added_entries(models_dir: Path) -> dict[str, ModelEntry]:
    """What ``models add`` put there, by name. Raises ModelError for an entry that cannot be read."""
    from embedding.entry_models import read_entry

    entries = (read_entry(file.read_bytes(), file) for file in sorted(models_dir.glob(f"*/{ENTRY}")))
    return {entry.name: entry for entry in entries}


def write_atomically(file: Path, text: str) -> None:
    """Text into a file that is either the old or the new one, also after a power failure."""
    beside = file.with_name(f"{file.name}.new")
    with beside.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(file: Path) -> int | None:
    return file.stat().st_size if file.is_file() else None
