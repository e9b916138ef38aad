"""Records into batches: at most so many, and no more than memory should hold of long texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ingest.sources.base import Batch, Checkpoint, Record

MAX_TEXT = 64 << 20
"""Characters of a batch's texts, most of which are Base64 pictures; one record may have more."""


def batched(records: Iterable[tuple[Record, Checkpoint]], size: int) -> Iterator[Batch]:
    """Batches of at most ``size`` records, each of which comes with the checkpoint after it; none is empty."""
    batch: list[Record] = []
    weight = 0
    after: Checkpoint = {}
    for record, after in records:
        batch.append(record)
        weight += text_of(record)
        if len(batch) >= size or weight >= MAX_TEXT:
            yield Batch(tuple(batch), after)
            batch, weight = [], 0
    if batch:
        yield Batch(tuple(batch), after)


def text_of(record: Record) -> int:
    """Characters of its texts."""
    return sum(len(value) for value in (record.fields or {}).values() if isinstance(value, str))
