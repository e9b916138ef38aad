"""Files on their way: they stand beside the model until all of them are here, then take its place."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedding.weights.files import record_of
from embedding.weights.lock import LockedPart
from embedding.weights.store import write_atomically
from havengate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from embedding.entry import Part
    from embedding.weights.lock import FileRecord, Lock
    from embedding.weights.source import Announced, Progress, Source
    from embedding.weights.store import ModelStore

_PLAN = "plan.json"
_BEGUN = ".begun"
_FORMER = "former-"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A part at a commit, and the files of it that the model is made of."""

    part: Part
    commit: str
    files: Mapping[str, Announced]

    @property
    def size(self) -> int:
        """Bytes, as far as the source announces them."""
        return sum(file.size or 0 for file in self.files.values())


def planned_commit(store: ModelStore, name: str, part: Part) -> str:
    """The commit that an interrupted pull had begun with, so that it does not end with another. Else empty."""
    try:
        plan = json.loads((store.pulling / _PLAN).read_bytes())[name]
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return ""
    same = [plan.get("repository"), plan.get("revision")] == [part.repository, part.revision]
    return str(plan["commit"]) if same else ""


def begin(store: ModelStore, wanted: Mapping[str, Wanted]) -> None:
    """Makes the place for what is coming; what came for another plan is thrown away."""
    plan = {
        name: {"repository": each.part.repository, "revision": each.part.revision, "commit": each.commit}
        for name, each in wanted.items()
    }
    text = json.dumps(plan, indent=2)
    file = store.pulling / _PLAN
    if file.exists() and file.read_text() != text:
        shutil.rmtree(store.pulling)
    store.pulling.mkdir(exist_ok=True)
    write_atomically(file, text)


def missing_bytes(store: ModelStore, wanted: Mapping[str, Wanted]) -> int:
    """How much is still to be written, as far as sizes tell."""
    here = sum(file.stat().st_size for file in store.pulling.rglob("*") if file.is_file())
    return max(0, sum(each.size for each in wanted.values()) - here)


def collect(store: ModelStore, name: str, wanted: Wanted, source: Source, progress: Progress) -> LockedPart:
    """All files of a part into its staging folder. Raises ModelError; what is complete stays for the next time."""
    part, files = wanted.part, {}
    for file, announced in wanted.files.items():
        target = store.pulling / name / file
        target.parent.mkdir(parents=True, exist_ok=True)
        record = _reused(store.part_folder(name) / file, target, announced)
        if record is None:
            record = _fetched(target, wanted, file, source, progress)
        else:
            progress(record.size)
        files[file] = record
    return LockedPart(part.repository, part.revision, wanted.commit, files)


def install(store: ModelStore, lock: Lock, parts: Mapping[str, LockedPart]) -> None:
    """The staged parts take their places. Until the lock is written, last, the model counts as not there."""
    store.lock_file.unlink(missing_ok=True)
    shutil.rmtree(store.converted, ignore_errors=True)
    for name in parts:
        place = store.part_folder(name)
        if place.exists():
            place.rename(store.pulling / f"{_FORMER}{name}")
        (store.pulling / name).rename(place)
    store.write_lock(lock)
    shutil.rmtree(store.pulling)


def _reused(installed: Path, target: Path, announced: Announced) -> FileRecord | None:
    """A file that is here already, by its hash: of an interrupted pull, or of the model as it is."""
    for candidate in (target, installed):
        if announced.known and candidate.is_file():
            record = record_of(candidate)
            if announced.fits(candidate, record):
                if candidate is installed:
                    target.unlink(missing_ok=True)
                    _link(installed, target)
                return record
    return None


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(file, target)


def _fetched(target: Path, wanted: Wanted, file: str, source: Source, progress: Progress) -> FileRecord:
    begun = target.with_name(target.name + _BEGUN)
    if begun.exists():
        progress(begun.stat().st_size)
    source.fetch(wanted.part, wanted.commit, file, begun, progress)
    record, announced = record_of(begun), wanted.files[file]
    if not announced.fits(begun, record):
        progress(-record.size)
        begun.unlink()
        raise ModelError(
            f"{wanted.part.repository} {file}: what arrived ({record.size} bytes, sha256 {record.sha256[:12]}) is not "
            f"what was expected ({announced.size} bytes, {_hash(announced)}); it was thrown away. Run the command "
            "again; if it stays so, the hub or what is between changes files"
        )
    with begun.open("rb") as stream:
        os.fsync(stream.fileno())
    begun.rename(target)
    return record


def _hash(announced: Announced) -> str:
    if announced.sha256 is not None:
        return f"sha256 {announced.sha256[:12]}"
    return f"git {announced.git_hash[:12]}" if announced.git_hash else "no hash"
