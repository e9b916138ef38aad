"""Back to a generation that was kept, with what was written since it was left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from engines.contract import at
from havengate.errors import JobError, UnknownTable
from ingest.jobs.model import Cancelled
from ingest.rebuild.convert import silent
from ingest.rebuild.record import RebuildRecord, Swap
from ingest.rebuild.swap import conclude, current, swap
from ingest.rebuild.work import Work

if TYPE_CHECKING:
    from engines.contract import Engine
    from havengate.services import Services
    from ingest.history import ChangeLog
    from ingest.jobs.model import Control, Job
    from schemas.table import VectorIndex


def run_rollback(services: Services, changes: ChangeLog, control: Control) -> str:
    """Runs a job of the kind "rollback"; see ingest.rebuild.request for its parameters.

    Raises JobError where it is not known what was written since, or where (``max_rejects``) rows cannot come along.
    """
    job = control.job
    generation = str(job.params["generation"])
    with closing(RebuildRecord(services.settings.data_dir)) as record:
        work = _continued(services, control, record, generation) or _begun(services, control, record, generation)
        if current(services.engine, work.table) != generation:
            _replay(work)
            swap(work, same_rows=False)
        return _finish(work, changes)


def abandon_rollback(services: Services, _changes: ChangeLog, job: Job) -> None:
    """The kept generation has some newer rows now, which going back to it would have brought, too."""
    with closing(RebuildRecord(services.settings.data_dir)) as record:
        with suppress(UnknownTable):
            if current(services.engine, job.table) != job.params["generation"]:
                record.not_swapped(job.id)
        record.forget(job.id)


def touched_since(engine: Engine, table: str, swaps: Sequence[Swap], generation: str, used: str) -> list[str] | None:
    """Keys that were written or deleted since a generation was left; None where that is not on record.

    Every generation that was in use since then tells what was touched in it.
    """
    left = max((place for place, swap in enumerate(swaps) if swap.former == generation), default=None)
    if left is None:
        return None
    marks: dict[str, str] = {}
    former = generation
    for each in swaps[left:]:
        if each.former != former:
            return None
        # In use twice: the earlier mark counts.
        marks.setdefault(each.current, each.mark)
        former = each.current
    kept = {each.name for each in engine.generations(table)}
    if former != used or not marks.keys() <= kept:
        return None
    keys: dict[str, None] = {}
    for name, mark in marks.items():
        keys |= dict.fromkeys(engine.touched(at(table, name), mark))
    return list(keys)


def _continued(services: Services, control: Control, record: RebuildRecord, generation: str) -> Work | None:
    """What an earlier attempt has begun, if the table is as it was then."""
    former = control.job.checkpoint.get("former")
    listed = {each.name: each for each in services.engine.generations(control.job.table)}
    if not isinstance(former, str) or generation not in listed:
        return None
    if listed[generation].current:
        return Work(services, control, record, former if former in listed else generation, generation, tolerant=True)
    if former not in listed or not listed[former].current:
        return None
    return Work(services, control, record, former, generation, tolerant=True)


def _begun(services: Services, control: Control, record: RebuildRecord, generation: str) -> Work:
    table = control.job.table
    former = current(services.engine, table)
    if former == generation:
        raise JobError(f"table {table!r} is generation {generation} already")
    work = Work(services, control, record, former, generation, tolerant=True)
    record.forget(control.job.id)
    # Before anybody is asked what was touched, so that nothing is between the two.
    mark = services.engine.mark(work.source)
    control.save({"former": former, "generation": generation, "mark": mark}, done=0)
    return work


def _replay(work: Work) -> None:
    if not work.job.checkpoint.get("replayed"):
        swaps = work.record.swaps(work.table)
        keys = touched_since(work.engine, work.table, swaps, work.generation, work.former)
        if keys is None:
            work.tell(replay="every row: what was written since is not on record")
            work.replay_ahead(_every_key(work), "replay", _most(work))
        else:
            work.tell(replay=f"{len(keys)} rows that were touched since")
            work.replay_ahead(keys, "replay", len(keys))
        work.save(replayed=True)
    work.catch_up()
    work.require_whole()


def _every_key(work: Work) -> Iterator[str]:
    """Of both generations: rows of the one come along, rows that only the other has go."""
    for address in (work.source, work.target):
        last: str | None = None
        while page := work.engine.scan(address, last, work.batch):
            yield from (row.pk for row in page)
            last = page[-1].pk


def _most(work: Work) -> int:
    return work.engine.stats(work.source).rows + work.engine.stats(work.target).rows


def _finish(work: Work, changes: ChangeLog) -> str:
    conclude(work, changes)
    notes = [why for index in work.converter.target.schema.vector_indexes.values() if (why := _searched(work, index))]
    with suppress(Cancelled):
        work.tell(notes=notes)
    work.record.forget(work.job.id)
    rows = work.engine.stats(work.target).rows
    lacking = f"; {work.job.counts.rejected} rows lack something" if work.job.counts.rejected else ""
    return "; ".join([f"table {work.table} is generation {work.generation} with {rows} rows{lacking}", *notes])


def _searched(work: Work, index: VectorIndex) -> str:
    """Why texts and pictures cannot be searched for in an index of the generation that was gone back to."""
    why = silent(work.services.embedding, work.converter.target, index) if index.model is not None else ""
    return f"index {index.name!r} finds no texts and pictures: {why}" if why else ""
