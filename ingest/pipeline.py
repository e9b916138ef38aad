"""Rows of a source into a table: batches are read in one thread, prepared in several, written in order by the caller's.

    source.batches -> Documents.prepared (pictures fetched, decoded, embedded) -> Documents.write -> Control.save

At most twice as many batches as threads are under way, and a bound of bytes, so that memory grows neither with the
source nor with its pictures. A batch is saved with the checkpoint behind it: who is killed writes at most one batch
again, with the same rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from embedding.cores import usable_cores
from havengate.codes import HaCode
from havengate.documents import Command, Documents, Failure, Prepared, PushReport
from havengate.errors import DocumentError, JobError, Moved, Overloaded, RequestError, SourceAway, is_passing
from ingest.ahead import in_order
from ingest.sources.batching import text_of

if TYPE_CHECKING:
    from engines.contract import TableSpec
    from havengate.picture_rows import Draft
    from havengate.services import Services
    from ingest.jobs.model import Control, Counts
    from ingest.sources.base import Batch, Source

CHECKPOINT = "source"
"""Where in a job's checkpoint the source's own is; what else is there stays."""

_ROWS = 500
"""Of a batch that no model sees."""
_BUSY_TRIES = 20
_AGAIN_S = (0.5, 2.0)
_MOVES = 5


def ingest_into(
    services: Services, control: Control, source: Source, spec: TableSpec, *, max_rejects: int | None = None
) -> Counts:
    """Upserts every good record behind the job's checkpoint into the table, or the generation, that ``spec`` names.

    Bad records are rejected with place, key and reason: what the source could not read, what is no document of the
    table, pictures that are missing or broken, keys that the source had before. Returns the job's counts.
    Raises JobError where more than ``max_rejects`` are (None: any number may be), what ``control`` raises, and what
    concerns no record: SourceError, ModelError, EngineError.
    """
    _check_rejects(control, max_rejects)
    settings = services.settings
    after = control.job.checkpoint.get(CHECKPOINT)
    target = _Target(services.documents, services.engine.table, spec, settings.jobs.attempts - control.job.tries <= 1)
    if control.job.total is None:
        control.save(total=source.count())
    pictures = any(index.source and index.model for index in spec.schema.vector_indexes.values())
    size = settings.embedding.batch if pictures else _ROWS
    batches = source.batches(after if isinstance(after, Mapping) else None, size)
    workers = settings.jobs.workers or 2 * usable_cores()
    with closing(in_order(batches, target.prepared, _weight, workers, target.stopping)) as ready:
        for each in ready:
            if each is None:
                # Somebody may want it to stop while nothing comes.
                control.save()
            else:
                _save(control, target, each, max_rejects)
    return control.job.counts


def _weight(batch: Batch) -> int:
    return sum(map(text_of, batch.records))


def _save(control: Control, target: _Target, ready: _Ready, max_rejects: int | None) -> None:
    report = target.write(ready, control)
    rejects: list[tuple[int, str | None, str]] = [*ready.unread]
    rejects += [(ready.positions[failure.index], failure.pk, failure.message) for failure in report.failures]
    for position, pk, reason in sorted(rejects, key=lambda reject: reject[0]):
        control.reject(ready.batch.records[position].place, pk, reason)
    read = len(ready.batch.records)
    counts = control.job.counts.plus(read=read, written=report.written, rejected=len(rejects))
    checkpoint = {**control.job.checkpoint, CHECKPOINT: dict(ready.batch.after)}
    control.save(checkpoint, done=control.job.done + read, counts=counts)
    _check_rejects(control, max_rejects)


def _check_rejects(control: Control, most: int | None) -> None:
    rejected = control.job.counts.rejected
    if most is not None and rejected > most:
        raise JobError(f"{rejected} rows rejected, the most is {most}")


@dataclass(frozen=True, slots=True)
class _Ready:
    """A batch before its writing; ``positions`` of its commands, ``unread`` (position, key, reason)."""

    batch: Batch
    positions: list[int]
    unread: list[tuple[int, str | None, str]]
    prepared: Prepared

    def place(self, draft: Draft) -> str:
        return self.batch.records[self.positions[draft.index]].place


class _Target:
    """The table that is filled, as it is known now."""

    def __init__(
        self, documents: Documents, specs: Callable[[str], TableSpec], spec: TableSpec, last_try: bool
    ) -> None:
        self.stopping = threading.Event()
        self._documents = documents
        self._specs = specs
        self._spec = spec
        self._last_try = last_try

    def prepared(self, batch: Batch) -> _Ready:
        """Any thread."""
        positions = [n for n, record in enumerate(batch.records) if record.fields is not None]
        unread = [(n, record.key, record.error) for n, record in enumerate(batch.records) if record.fields is None]
        commands = [Command("add", record.fields) for record in batch.records if record.fields is not None]
        return _Ready(batch, positions, unread, self._settled(commands))

    def write(self, ready: _Ready, control: Control) -> PushReport:
        """Without keys that the job has had before."""
        prepared = ready.prepared
        for _ in range(_MOVES - 1):
            try:
                return self._documents.write(self._without_known(prepared, ready, control), strict=True)
            except Moved:
                self._spec = self._specs(self._spec.name)
                prepared = self._settled(prepared.commands)
        return self._documents.write(self._without_known(prepared, ready, control), strict=True)

    def _settled(self, commands: Sequence[Command]) -> Prepared:
        """Prepared, and again where a failure may pass. Raises what concerns no document, or passes with none."""
        prepared = self._prepared(self._spec, commands)
        for pause in _AGAIN_S:
            if not _passing(prepared) or self.stopping.wait(pause):
                break
            prepared = self._again(prepared)
        passing = _passing(prepared)
        # An object that never comes is rejected, so that it does not stop the rest for ever.
        if passing and not self._others_come(prepared, len(passing)):
            raise SourceAway(passing[0].message)
        return prepared

    def _prepared(self, spec: TableSpec, commands: Sequence[Command]) -> Prepared:
        """A model that searches keep busy is waited for: nobody waits for an ingest's answer."""
        for _ in range(_BUSY_TRIES - 1):
            try:
                return self._documents.prepared(spec, commands)
            except Overloaded as busy:
                self.stopping.wait(busy.retry_after_s or 0)
        return self._documents.prepared(spec, commands)

    def _again(self, prepared: Prepared) -> Prepared:
        """Those that failed for a passing reason once more."""
        failed = [failure.index for failure in _passing(prepared)]
        second = self._prepared(prepared.table, [prepared.commands[index] for index in failed])
        drafts = [*prepared.drafts, *(replace(draft, index=failed[draft.index]) for draft in second.drafts)]
        failures = [failure for failure in prepared.failures if failure.index not in failed]
        failures += [replace(failure, index=failed[failure.index]) for failure in second.failures]
        return replace(prepared, drafts=tuple(sorted(drafts, key=lambda d: d.index)), failures=tuple(failures))

    def _others_come(self, prepared: Prepared, passing: int) -> bool:
        """Whether a picture that came before comes again: where it does not, what is away is the source itself."""
        came = next((draft.index for draft in prepared.drafts if draft.sources), None)
        if came is None:
            return passing == 1 and self._last_try
        return not _passing(self._prepared(prepared.table, [prepared.commands[came]]))

    def _without_known(self, prepared: Prepared, ready: _Ready, control: Control) -> Prepared:
        first: dict[str, Draft] = {}
        for draft in prepared.drafts:
            first.setdefault(draft.pk, draft)
        before = control.first_places([(pk, ready.place(draft)) for pk, draft in first.items()])
        known = [draft for draft in prepared.drafts if draft.pk in before or draft is not first[draft.pk]]
        return prepared.without(_duplicate(d, before.get(d.pk) or ready.place(first[d.pk])) for d in known)


def _passing(prepared: Prepared) -> list[Failure]:
    """Failures that may not be there next time. Raises the error of one that no document is to blame for."""
    passing = [failure for failure in prepared.failures if failure.error and is_passing(failure.error)]
    for failure in prepared.failures:
        if failure not in passing and not isinstance(failure.error, (DocumentError, RequestError)):
            raise failure.error or JobError(failure.message)
    return passing


def _duplicate(draft: Draft, place: str) -> Failure:
    return Failure(draft.index, draft.pk, HaCode.CONST_EXPRESSION_VALUE, f"duplicate key, {place} has it already")
