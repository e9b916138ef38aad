"""What every source of rows does; each is a file beside this one, and ``ingest.sources.opening`` knows them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from havengate.errors import SourceChanged

Checkpoint = Mapping[str, object]
"""JSON, a source's own: where to go on."""


def noted(after: Checkpoint, name: str) -> str:
    """What a checkpoint says by that name, as text. Raises SourceChanged where another kind of source made it."""
    if name not in after:
        raise SourceChanged("the checkpoint is of another kind of source: begin again with a new job")
    return str(after[name])


@dataclass(frozen=True, slots=True)
class Record:
    """One row to be, with fields as a client would push them, or why it is none.

    ``place`` is for people: ``FILE:LINE``, an object's URL, ``PROJECT.TABLE/PARTITION:ROW``. So is ``key`` of one that
    is no row, where it is known.
    """

    place: str
    fields: Mapping[str, object] | None
    error: str = ""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the source's order, and where the next batch begins."""

    records: tuple[Record, ...]
    after: Checkpoint


class Source(Protocol):
    """Rows that can be read again from any checkpoint, in the same order as long as the source is the same.

    Foreign exceptions come out as SourceError (passing trouble: SourceAway). What is wrong with one row is told by
    its Record and stops nothing.
    """

    @property
    def name(self) -> str:
        """What a person calls it, without secrets; the same text for the same source."""

    def count(self) -> int | None:
        """How many records there will be, for progress; None where counting costs as much as reading."""

    def left_out(self) -> int:
        """Number of things passed over as no rows by their kind, such as files without a picture's suffix."""

    def batches(self, after: Checkpoint | None, size: int) -> Iterator[Batch]:
        """Batches of at most ``size`` records from a checkpoint on (None: from the beginning).

        Raises SourceError, or SourceChanged where the checkpoint does not fit what is there now.
        """
