"""Jobs as everybody sees them, and what a running one may do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from havengate.services import Services
    from ingest.history import ChangeLog

State = Literal["queued", "running", "paused", "failed", "cancelled", "done"]
"""queued waits for a worker, or for ``not_before``; paused and failed go on from their checkpoint when resumed."""

ENDED: frozenset[State] = frozenset({"cancelled", "done"})


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of a job so far, each counted once however often it was interrupted."""

    read: int = 0
    written: int = 0
    deleted: int = 0
    rejected: int = 0

    def plus(self, *, read: int = 0, written: int = 0, deleted: int = 0, rejected: int = 0) -> Counts:
        return Counts(self.read + read, self.written + written, self.deleted + deleted, self.rejected + rejected)


@dataclass(frozen=True, slots=True)
class Job:
    """One line of the job table.

    params      JSON of the kind's own, without secrets
    wanted      what somebody asked a running job to do at its next checkpoint
    owner       host and pid of who runs it, "" when nobody does
    heartbeat   seconds of the epoch when its owner last told anything
    attempts    how often it began to run
    tries       attempts in a row that failed, or whose process ended, since its checkpoint last moved
    not_before  seconds of the epoch until which a failed attempt waits for its next
    phase       what it is doing, in a word or two; ``done`` of ``total`` (None: unknown) rows of that
    checkpoint  JSON of the kind's own: where to go on
    message     why it failed, or what it came to
    report      JSON of the kind's own, for people: what was decided, compared, switched
    created, started, ended  seconds of the epoch
    """

    id: int
    kind: str
    table: str
    params: Mapping[str, object]
    state: State = "queued"
    wanted: Literal["", "pause", "cancel"] = ""
    owner: str = ""
    heartbeat: float = 0.0
    attempts: int = 0
    tries: int = 0
    not_before: float = 0.0
    phase: str = ""
    done: int = 0
    total: int | None = None
    counts: Counts = Counts()
    checkpoint: Mapping[str, object] = field(default_factory=dict)
    message: str = ""
    report: Mapping[str, object] = field(default_factory=dict)
    by: str = ""
    created: float = 0.0
    started: float | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that did not go in; ``id`` grows. ``pk`` is None where nobody could read a key."""

    id: int
    place: str
    pk: str | None
    reason: str


class Paused(Exception):
    """Somebody asked the job to stop here; its checkpoint stands."""


class Cancelled(Exception):
    """Somebody asked the job to end."""


class Control(Protocol):
    """The hand of a running job on its line of the table. One thread uses it."""

    @property
    def job(self) -> Job:
        """As last saved."""

    def reject(self, place: str, pk: str | None, reason: str) -> None:
        """A row that does not go in; durable with the next ``save``."""

    def first_places(self, keys: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Of (key, place) pairs, those keys that this job has had before, each with the place it had then.

        The others are remembered with the next ``save``. On disk, so that memory stays flat.
        """

    def save(
        self,
        checkpoint: Mapping[str, object] | None = None,
        *,
        phase: str | None = None,
        done: int | None = None,
        total: int | None = None,
        counts: Counts | None = None,
        report: Mapping[str, object] | None = None,
    ) -> None:
        """Writes what is given (None: unchanged), the rejects and the keys, in one transaction.

        Raises Paused, Cancelled where somebody asked for it; what was given is saved then, too.
        """

    def step(self, done: int) -> None:
        """Progress for people between checkpoints; costs next to nothing."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job.

    writes   the generation that it writes into; of jobs that write one generation of a table, one runs at a time
    run      does it from its checkpoint on, and returns the message for people; what it raises stops it: Paused,
             Cancelled; a HavengateError that ``is_passing`` (waited for and tried again); any other (failed)
    abandon  undoes what a cancelled job left half-done
    """

    name: str
    writes: Literal["current", "next"]
    run: Callable[[Services, ChangeLog, Control], str]
    abandon: Callable[[Services, ChangeLog, Job], None] = lambda *_: None
