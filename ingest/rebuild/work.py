"""A job that brings one generation of a table to what another one holds: what it writes, and what rows lack there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from embedding.cores import usable_cores
from engines.contract import at
from havengate.chunks import chunks
from havengate.errors import JobError
from ingest.ahead import in_order
from ingest.rebuild.convert import Converted, Converter

if TYPE_CHECKING:
    from havengate.services import Services
    from ingest.jobs.model import Control, Job
    from ingest.rebuild.record import RebuildRecord

BatchT = TypeVar("BatchT")
ReadyT = TypeVar("ReadyT")

COPIED = 500
EMBEDDED = 32
"""Rows of a batch: of rows that are copied, and of rows whose pictures are held in memory."""
_FEW_COPIED = 1000
_FEW_EMBEDDED = 50
"""Rows that are replayed while writers wait: few enough for a second or two."""
_ROUNDS = 20
_SPARE = 1000
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Part:
    """Some keys, and the rows of those that are there."""

    keys: list[str]
    converted: list[Converted]


class Work:
    """One thread uses it, but for ``converter``."""

    def __init__(
        self,
        services: Services,
        control: Control,
        record: RebuildRecord,
        former: str,
        generation: str,
        *,
        tolerant: bool = False,
    ) -> None:
        """From the generation ``former`` of the job's table to ``generation``; ``tolerant`` as for a Converter.

        Raises UnknownGeneration.
        """
        self.services, self.engine, self.control, self.record = services, services.engine, control, record
        self.table, self.former, self.generation = control.job.table, former, generation
        self.source, self.target = at(self.table, former), at(self.table, generation)
        self.converter = Converter(
            services, self.engine.table(self.source), self.engine.table(self.target), tolerant=tolerant
        )
        self.lacking = record.lacking(control.job.id)

    @property
    def job(self) -> Job:
        return self.control.job

    @property
    def _told(self) -> int:
        """Rejects that are in the job's counts for what rows lack."""
        return int(str(self.job.checkpoint.get("told", 0)))

    @property
    def rejected_rows(self) -> int:
        """Rows of the source that did not go in at all."""
        return self.job.counts.rejected - self._told

    @property
    def batch(self) -> int:
        return EMBEDDED if self.converter.embeds else COPIED

    def save(
        self, phase: str | None = None, *, done: int | None = None, total: int | None = None, **marks: object
    ) -> None:
        """The checkpoint with these entries changed. Raises Paused, Cancelled."""
        self.control.save({**self.job.checkpoint, **marks}, phase=phase, done=done, total=total)

    def tell(self, **report: object) -> None:
        """Adds to the job's report."""
        self.control.save(report={**self.job.report, **report})

    def write(self, converted: Sequence[Converted]) -> None:
        """Into the generation that is made; rows that lack something go in without it and are on record before."""
        self._note({each.row.pk: each.lacks for each in converted if each.lacks}, [each.row.pk for each in converted])
        self.engine.upsert(self.target, [each.row for each in converted])

    def convert_ahead(
        self, batches: Iterator[BatchT], convert: Callable[[BatchT], ReadyT]
    ) -> Generator[ReadyT, None, None]:
        """Batches converted in threads, given out in order. Raises Paused, Cancelled also while nothing comes."""
        workers = self.services.settings.jobs.workers or 2 * usable_cores()
        with closing(in_order(batches, convert, _weightless, workers, threading.Event())) as ready:
            for each in ready:
                if each is None:
                    self.control.save()
                else:
                    yield each

    def replay(self, keys: Iterable[str]) -> None:
        """Gives these keys what they have become: their rows, or none. In this thread alone."""
        for part in chunks(keys, self.batch):
            self._become(self._current(part))

    def replay_ahead(self, keys: Iterable[str], phase: str, total: int) -> None:
        """As ``replay``, in threads, and with progress."""
        self.control.save(phase=phase, done=0, total=total)
        for part in self.convert_ahead(chunks(keys, self.batch), self._current):
            self._become(part)
            self.control.save(done=self.job.done + len(part.keys))

    def catch_up(self) -> None:
        """Replays what was written since the checkpoint's mark, round by round, until few rows are left for the swap.

        Writers that are faster than this are not waited for: they wait themselves in the moment of the swap.
        """
        few = _FEW_EMBEDDED if self.converter.embeds else _FEW_COPIED
        for done in range(_ROUNDS):
            mark = self.engine.mark(self.source)
            keys = self.engine.touched(self.source, str(self.job.checkpoint["mark"]))
            if done and len(keys) <= few:
                return
            self.replay_ahead(keys, "catch up", len(keys))
            self.save(mark=mark, rounds=done + 1)

    def _current(self, keys: list[str]) -> _Part:
        """What these keys are now, converted. Any thread."""
        rows = list(self.engine.fetch(self.source, keys, list(self.converter.former.schema.vector_fields)).values())
        return _Part(keys, self.converter.convert(rows) if rows else [])

    def _become(self, part: _Part) -> None:
        if part.converted:
            self.write(part.converted)
        there = {each.row.pk for each in part.converted}
        if gone := [pk for pk in part.keys if pk not in there]:
            self._note({}, gone)
            self.engine.delete(self.target, gone)

    def replay_rest(self) -> None:
        """What was written since the last round; for the moment of the swap, in which nobody writes."""
        self.replay(self.engine.touched(self.source, str(self.job.checkpoint["mark"])))

    def retry_lacking(self) -> None:
        """Rows that lacked something may be whole by now: their pictures were brought back, or they were deleted."""
        if self.lacking:
            self.replay_ahead(list(self.lacking), "retry", len(self.lacking))

    @property
    def most(self) -> int | None:
        """How many rows may lack something; None: any number."""
        most = self.job.params.get("max_rejects")
        return most if isinstance(most, int) else None

    def require_whole(self) -> None:
        """Raises JobError where more rows lack something than are put up with."""
        most = self.most
        if most is None or len(self.lacking) + self.rejected_rows <= most:
            return
        self.reject()
        shown = [f"- {pk}: {why}" for pk, why in islice(self.lacking.items(), _SHOWN)]
        more = f"\n- and {len(self.lacking) - _SHOWN} more" if len(self.lacking) > _SHOWN else ""
        raise JobError(
            f"{len(self.lacking)} rows of table {self.table!r} would lack something, {most} may; nothing has changed. "
            f"Mend them and resume job {self.job.id}, or give the command again with --max-rejects "
            f"{len(self.lacking) + self.rejected_rows}:\n" + "\n".join(shown) + more
        )

    def reject(self) -> None:
        """Rows that lack something now become the job's rejects, each once."""
        # A source's keys are remembered for the job, too; no key has a NUL.
        had = self.control.first_places((f"\0{pk}", why) for pk, why in self.lacking.items())
        for pk, why in self.lacking.items():
            if f"\0{pk}" not in had:
                self.control.reject(self.target, pk, why)
        counts = self.job.counts.plus(rejected=len(self.lacking) - self._told)
        lacking = dict(islice(self.lacking.items(), _SPARE))
        self.control.save(
            {**self.job.checkpoint, "told": len(self.lacking)},
            counts=counts,
            report={**self.job.report, "lacking": lacking},
        )

    def _note(self, lacking: Mapping[str, str], keys: Iterable[str]) -> None:
        whole = [pk for pk in keys if pk in self.lacking and pk not in lacking]
        if lacking or whole:
            self.record.note(self.job.id, lacking, whole)
            self.lacking.update(lacking)
            for pk in whole:
                del self.lacking[pk]
        most = self.most
        if most is not None and len(self.lacking) > most + _SPARE:
            # So many have one cause, and every further one costs as much as a good one.
            self.require_whole()


def _weightless(_: object) -> int:
    """Batches of a rebuild are small enough: keys, or as many rows as an engine reads at once."""
    return 0
