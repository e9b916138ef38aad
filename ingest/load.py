"""Reads a source into a table in batches: bad items are reported, the rest goes in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from engines.contract import TableSpec
from havengate.documents import Command, Documents, PushReport
from havengate.errors import Overloaded
from ingest.files import Item

if TYPE_CHECKING:
    from havengate.settings import PushSettings

_BATCH = 32
_TRIES = 20


@dataclass(frozen=True, slots=True)
class LoadReport:
    written: int
    rejected: int


def load(
    documents: Documents,
    table: TableSpec,
    items: Iterable[Item],
    *,
    limits: PushSettings,
    reject: Callable[[str, str], None],
    progress: Callable[[int], object],
) -> LoadReport:
    """Upserts every good item; ``reject(place, reason)`` hears of each bad one, ``progress(n)`` of each batch.

    ``limits`` are those of ``documents``: a batch is one push. Raises what stops the whole load:
    ModelError, EngineError.
    """
    written = rejected = 0
    for batch in _batches(items, min(_BATCH, limits.max_documents, limits.max_pictures)):
        rows = [(item.place, Command("add", item.fields)) for item in batch if item.fields is not None]
        unread = [(item.place, item.error) for item in batch if item.fields is None]
        report = _pushed(documents, table, [command for _, command in rows])
        failed = [(rows[failure.index][0], failure.message) for failure in report.failures]
        for place, reason in unread + failed:
            reject(place, reason)
        written += report.written
        rejected += len(unread) + len(failed)
        progress(len(batch))
    return LoadReport(written, rejected)


def _pushed(documents: Documents, table: TableSpec, commands: list[Command]) -> PushReport:
    """A model that searches keep busy is waited for: nobody waits for a load's answer."""
    for _ in range(_TRIES - 1):
        try:
            return documents.push(table, commands)
        except Overloaded as busy:
            time.sleep(busy.retry_after_s or 0)
    return documents.push(table, commands)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
