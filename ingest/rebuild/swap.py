"""The moment in which another generation takes a table's place, and what goes after it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from engines.contract import RowsQuery, at
from havengate.errors import Busy, JobError, UnfitTable, UnknownGeneration, UnknownTable
from havengate.types import Field, In, Literal
from ingest.jobs.model import Cancelled
from ingest.rebuild.record import Swap
from schemas.vendor import masked

if TYPE_CHECKING:
    from engines.contract import Engine
    from havengate.blobs import BlobStore
    from ingest.history import ChangeLog, What
    from ingest.rebuild.work import Work

_KEYS_PER_QUERY = 500
_TRIES = 45
_PAUSE_S = 2.0
_ENTRIES = 10_000


def current(engine: Engine, table: str) -> str:
    """The name of the table's generation that is in use."""
    return next(each.name for each in engine.generations(table) if each.current)


def previous(engine: Engine, table: str) -> str:
    """The newest generation that is older than the current one. Raises UnknownGeneration."""
    listed = [each.name for each in engine.generations(table) if not each.building]
    used = current(engine, table)
    older = listed[: listed.index(used)]
    if not older:
        raise UnknownGeneration(f"table {table!r} has no generation before {used}; there are: {', '.join(listed)}")
    return older[-1]


def swap(work: Work, *, same_rows: bool, settle: Callable[[], None] = lambda: None) -> None:
    """The generation that was filled becomes the table's; whoever is killed on the way finds the former one in use.

    ``same_rows``: both are to have as many. ``settle`` is done while nobody writes. Raises JobError where they have
    not, where too many rows lack something, or where another generation took the table's place meanwhile; nothing has
    changed then.
    """
    work.control.save(phase="swap", done=0, total=1)

    def last() -> None:
        if (used := current(work.engine, work.table)) != work.former:
            raise JobError(
                f"table {work.table!r} is generation {used} by now, not {work.former}; cancel job {work.job.id}"
            )
        work.replay_rest()
        work.require_whole()
        settle()
        _keep_revoked(work)
        rows = [work.engine.stats(address).rows for address in (work.source, work.target)]
        if same_rows and rows[0] != rows[1]:
            raise JobError(f"{work.target} has {rows[1]} rows and {work.source} {rows[0]}: nothing has changed")
        work.tell(rows={work.former: rows[0], work.generation: rows[1]})
        # Before the first write of the new one, so that a rollback misses none.
        mark = work.engine.mark(work.target)
        work.record.swapping(work.table, work.job.id, Swap(work.former, work.generation, mark))

    for _ in range(_TRIES - 1):
        try:
            return work.engine.use_generation(work.table, work.generation, last)
        except Busy:
            # Whoever was killed in the middle of a swap holds the table until it has been silent for a minute.
            threading.Event().wait(_PAUSE_S)
            work.control.save()
    return work.engine.use_generation(work.table, work.generation, last)


def _keep_revoked(work: Work) -> None:
    """What opened pictures before it was revoked must not open them again because the table goes back."""
    live, settings = work.engine.table(work.source).settings, work.engine.table(work.target).settings
    if settings.image_tokens < live.image_tokens:
        kept = settings.model_copy(update={"image_tokens": live.image_tokens})
        work.engine.set_settings(work.target, kept)


def conclude(work: Work, changes: ChangeLog, phase: str | None = None) -> None:
    """The table has been swapped: whoever cancels now comes too late."""
    if work.job.checkpoint.get("swapped"):
        return
    _tell_history(work, changes)
    with suppress(Cancelled):
        work.reject()
    with suppress(Cancelled):
        work.save(phase, swapped=True)


def _tell_history(work: Work, changes: ChangeLog) -> None:
    """What the swap has changed about the table; each once, also by who was killed on the way."""
    had = changes.entries(table=work.table, since=work.job.created, limit=_ENTRIES)

    def add(what: What, detail: dict[str, object]) -> None:
        # A schema itself is in no entry.
        told = {name: value for name, value in detail.items() if name != "schema"}
        if not any(each.what == what and each.detail == told for each in had):
            changes.add(what, work.table, work.job.by, detail=detail)

    old, new = work.converter.former, work.converter.target
    detail: dict[str, object] = {
        "changes": [f"generation {work.former} becomes {work.generation}"],
        "from": work.former,
        "to": work.generation,
        "by job": work.job.id,
    }
    add("swap", detail)
    if old.vendor_schema != new.vendor_schema:
        detail = {"schema": masked(dict(new.vendor_schema)), "generation": work.generation}
        add("schema", detail)
    if old.settings.source != new.settings.source:
        says = f"source: {old.settings.source!r} becomes {new.settings.source!r}"
        add("source", {"changes": [says]})


def drop_old(work: Work) -> list[str]:
    """Keeps as many older generations as the settings say, the one that was in use first; returns those that went."""
    listed = work.engine.generations(work.table)
    older = [each.name for each in reversed(listed) if not each.current and not each.building]
    # What was in use until now is what a rollback is for, whatever its number.
    older.sort(key=lambda generation: generation != work.former)
    gone = older[work.services.settings.engine.keep_generations :]
    for generation in gone:
        work.engine.drop_generation(work.table, generation)
    return gone


def drop_pictures(engine: Engine, blobs: BlobStore, table: str) -> int:
    """Deletes pushed pictures that no row of any generation holds; returns how many.

    While a table has several generations its writers leave them. Memory holds a 256th of the keys at a time.
    """
    gone = 0
    for part in _parts(blobs, table):
        with blobs.writing(table) as since:
            unheld = set(part)
            # Each time anew: another generation may have come since the last part.
            for address, name in _picture_fields(engine, table):
                unheld -= _held(engine, address, name, unheld)
            blobs.delete(table, unheld, since)
        gone += len(unheld)
    return gone


def sweep_pictures(engine: Engine, blobs: BlobStore) -> int:
    """Deletes what writes left: pictures of a call that was killed or whose fate was unknown, and what a bucket kept
    because it was young when its row went. Returns how many blobs nobody holds.

    Tables with several generations are left to the rebuild that drops the others.
    """
    gone = 0
    for name in engine.table_names():
        # Dropped meanwhile, or changed by others.
        with suppress(UnknownTable, UnknownGeneration, UnfitTable):
            if len(engine.generations(name)) == 1:
                gone += drop_pictures(engine, blobs, name)
    return gone


def _picture_fields(engine: Engine, table: str) -> list[tuple[str, str]]:
    """Address and name of all Base64 fields of a table's generations."""
    addresses = [at(table, each.name) for each in engine.generations(table)]
    return [(address, name) for address in addresses for name in sorted(engine.table(address).schema.base64_fields)]


def _held(engine: Engine, address: str, field: str, keys: set[str]) -> set[str]:
    if not keys:
        return set()
    query = RowsQuery(In(Field(field), tuple(Literal(key) for key in sorted(keys))), (field,))
    return set(engine.rows(address, query).frame[field].to_list())


def _parts(blobs: BlobStore, table: str) -> Iterator[list[str]]:
    for shard in range(256):
        keys = blobs.keys(table, f"{shard:02x}")
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            yield keys[start : start + _KEYS_PER_QUERY]
