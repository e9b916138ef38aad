"""The change history: what happened to tables, by whom, when, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

What = Literal[
    "table created",
    "table dropped",
    "table restored",
    "settings",
    "schema",
    "source",
    "image token",
    "ingest",
    "rebuild",
    "swap",
    "rollback",
    "push",
    "backup",
    "job",
]


@dataclass(frozen=True, slots=True)
class Change:
    """One entry. Nothing in it is secret: schemas come masked.

    id        grows with every entry; an entry that goes on (a job, an hour of pushes) is updated in place
    version   of the table's schema after it, counted from 1
    state     of what goes on for a while: a job's state, else "done"
    progress  from 0 to 1, None where nobody knows
    at, ended seconds of the epoch
    detail    JSON: sentences of what changed, generations, comparison, the masked schema, an error
    """

    id: int
    what: What
    table: str
    by: str
    at: float
    version: int = 0
    job: int | None = None
    state: str = "done"
    progress: float | None = None
    read: int = 0
    written: int = 0
    deleted: int = 0
    rejected: int = 0
    ended: float | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


class ChangeLog(Protocol):
    """Kept in ``jobs.sqlite``; entries of an OpenSearch engine are published to the cluster, too, as far as it takes
    them: a cluster that is away costs an entry there, never the change. Any thread, any process of the machine.
    """

    def add(
        self, what: What, table: str, by: str, *, job: int | None = None, detail: Mapping[str, object] | None = None
    ) -> Change:
        """A finished entry, or with ``job`` one that ``update`` carries on. "schema" and "table created" count the
        table's version up.
        """

    def update(self, change: Change) -> None:
        """Replaces the entry of that id."""

    def pushed(self, table: str, by: str, *, written: int, deleted: int, rejected: int) -> None:
        """Adds a push to its table's entry of this hour."""

    def entries(
        self, *, table: str | None = None, after: int = 0, since: float = 0.0, limit: int = 100
    ) -> list[Change]:
        """Newest last: entries with an id above ``after``, or that changed since ``since``."""

    def prune(self, keep_days: int) -> int:
        """Forgets entries that ended longer ago, and versions of schemas but each table's last; how many entries."""
