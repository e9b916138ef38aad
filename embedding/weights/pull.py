"""`models pull`: brings a model's files, whole or not at all, and holds to what the first pull brought."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from embedding.entry_models import entry_json
from embedding.weights.lock import Lock
from embedding.weights.needed import needed_files
from embedding.weights.source import Announced, FolderSource
from embedding.weights.staging import Wanted, begin, collect, install, missing_bytes, planned_commit
from embedding.weights.store import State
from havengate.errors import ModelError

if TYPE_CHECKING:
    from embedding.entry import Part
    from embedding.weights.lock import LockedPart
    from embedding.weights.source import Listing, Progress, Source
    from embedding.weights.store import ModelStore
    from havengate.setting_groups import EmbeddingSettings

    Bar = Callable[[int], Progress]

_ROOM = 256 << 20
_ALONE = ".pull.lock"


@dataclass(frozen=True, slots=True)
class Pulled:
    """``changed`` is False where all was here already; ``note`` says why the source could not be asked, if so."""

    lock: Lock
    changed: bool
    note: str = ""


def open_source(settings: EmbeddingSettings) -> Source:
    """The offline folder, if one is set, else the hub."""
    if settings.offline is not None:
        return FolderSource(settings.offline)
    from embedding.weights.hub import Hub

    return Hub(settings.hub, settings.hub_token.get_secret_value())


def pull(store: ModelStore, source: Source, bar: Bar, *, accept: bool = False) -> Pulled:
    """Brings the files of a model's parts; a pull that was interrupted goes on.

    ``bar`` gets the bytes in all and gives what is told of each arrival. What lock.json records is held to: other
    content is an error, unless ``accept``. Raises ModelError, which says what to do; the model as it is stays in use
    until all of the new one is here.
    """
    if store.entry.picture is None or store.entry.local:
        origin = "a folder" if store.entry.local else "the packages"
        raise ModelError(f"model {store.entry.name!r} comes from {origin}: there is nothing to pull")
    with alone(store):
        lock = None if accept else store.lock()
        if lock is not None and store.state() is State.READY:
            return _compared(store, lock, source)
        held = {} if lock is None else lock.parts
        wanted = {name: _wanted(store, name, part, source, held.get(name)) for name, part in store.entry.parts.items()}
        require_room(store, wanted)
        begin(store, wanted)
        progress = bar(sum(each.size for each in wanted.values()))
        parts = {name: collect(store, name, each, source, progress) for name, each in wanted.items()}
        return Pulled(finish(store, parts), changed=True)


def finish(store: ModelStore, parts: dict[str, LockedPart]) -> Lock:
    """Puts staged parts in their places and records them."""
    lock = Lock(entry_json(store.entry), datetime.now(UTC).isoformat(timespec="seconds"), parts)
    install(store, lock, parts)
    return lock


@contextmanager
def alone(store: ModelStore) -> Iterator[None]:
    """Only one process changes a model's files. Raises ModelError where another does."""
    store.folder.mkdir(parents=True, exist_ok=True)
    with (store.folder / _ALONE).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ModelError(f"model {store.entry.name!r} is being pulled by another process") from error
        yield


def _wanted(store: ModelStore, name: str, part: Part, source: Source, held: LockedPart | None) -> Wanted:
    """What to fetch. Where a lock holds the part, its commit and hashes; else what the source has now."""
    if held is None:
        listing = source.look(part, planned_commit(store, name, part))
        return Wanted(part, listing.commit, needed_files(part, listing))
    if (held.repository, held.revision) != (part.repository, part.revision):
        raise _refusal(store, part, held, "another revision or repository")
    listing = source.look(part, held.commit)
    gone = sorted(set(held.files) - set(listing.files))
    if gone:
        raise _refusal(store, part, held, f"no {', '.join(gone)}")
    files = {file: Announced(record.size, record.sha256) for file, record in held.files.items()}
    return Wanted(part, held.commit, files)


def _compared(store: ModelStore, lock: Lock, source: Source) -> Pulled:
    """Holds a model that is here against what its source has now; without an answer it stays as it is."""
    parts = dict(lock.parts)
    for name, part in store.entry.parts.items():
        held = parts[name]
        try:
            listing = source.look(part)
        except ModelError as error:
            return Pulled(lock, changed=False, note=error.message)
        if changed := _changed_files(store, name, part, held, listing):
            now = listing.commit[:12] or "a folder"
            raise _refusal(store, part, held, f"{now} with other content ({', '.join(changed)})")
        if part.revision != held.revision:
            parts[name] = replace(held, revision=part.revision, commit=listing.commit)
    if parts != lock.parts:
        lock = replace(lock, parts=parts)
        store.write_lock(lock)
    return Pulled(lock, changed=False)


def _changed_files(store: ModelStore, name: str, part: Part, held: LockedPart, listing: Listing) -> list[str]:
    if listing.commit and listing.commit == held.commit:
        return []
    announced = needed_files(part, listing)
    same = {
        file
        for file, record in held.files.items()
        if file in announced and announced[file].known and announced[file].fits(store.part_folder(name) / file, record)
    }
    return sorted((announced.keys() | held.files.keys()) - same)


def _refusal(store: ModelStore, part: Part, held: LockedPart, what: str) -> ModelError:
    name = store.entry.name
    return ModelError(
        f"model {name!r}: {part.repository} at {part.revision!r} is now {what}, while lock.json holds to "
        f"{held.repository} at {held.commit[:12] or 'the content of its first pull'}. What is here stays in use. "
        f"`havengate models pull {name} --accept` takes the new; tables built with the old have to be built again then"
    )


def require_room(store: ModelStore, wanted: dict[str, Wanted]) -> None:
    """Raises ModelError where the disk cannot take what is still missing."""
    needed, free = missing_bytes(store, wanted), shutil.disk_usage(store.folder).free
    if free < needed + _ROOM:
        raise ModelError(
            f"{store.folder} has {free / 1e9:.1f} GB free, the rest of model {store.entry.name!r} takes "
            f"{needed / 1e9:.1f} GB; HAVENGATE_EMBEDDING__MODELS_DIR names another folder"
        )
