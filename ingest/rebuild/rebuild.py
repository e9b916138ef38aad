"""A table built again beside itself, which then takes its place.

    decide -> copy (or read its source) -> catch up -> compare -> swap

The generation that is in use is read all the time and written by others all the time: what they touch since a mark is
brought over in rounds, the rest of it while they wait for the moment of the swap. Every batch is saved with the place
behind it, and doing one again changes nothing: who is killed goes on.
"""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

from engines.contract import at
from havengate.errors import JobError, RequestError
from ingest.jobs.model import Cancelled, Counts
from ingest.rebuild.compare import compare, too_unlike
from ingest.rebuild.copying import copy, read_source
from ingest.rebuild.decide import decide
from ingest.rebuild.record import RebuildRecord
from ingest.rebuild.request import forget_request, wanted_of
from ingest.rebuild.swap import conclude, current, drop_old, drop_pictures, swap
from ingest.rebuild.work import Work

if TYPE_CHECKING:
    from engines.contract import Generation
    from havengate.services import Services
    from ingest.history import ChangeLog
    from ingest.jobs.model import Control, Job

NOTHING = "nothing to do"


def run_rebuild(services: Services, changes: ChangeLog, control: Control) -> str:
    """Runs a job of the kind "rebuild"; see ingest.rebuild.request for its parameters.

    Raises SchemaError where rows cannot be those of the new schema, JobError where too many lack something or the
    answers are too unlike.
    """
    with closing(RebuildRecord(services.settings.data_dir)) as record:
        work = _continued(services, control, record) or _begun(services, control, record)
        if work is None:
            return NOTHING
        if current(services.engine, work.table) != work.generation:
            _build(work)
            _swap(work)
        return _finish(work, changes)


def abandon_rebuild(services: Services, _changes: ChangeLog, job: Job) -> None:
    """Drops what a cancelled job has built."""
    with closing(RebuildRecord(services.settings.data_dir)) as record:
        # The table may have been dropped meanwhile, the generation may be the current one.
        with suppress(RequestError):
            for each in services.engine.generations(job.table):
                if each.building and _is_of(job, each):
                    record.not_swapped(job.id)
                    services.engine.drop_generation(job.table, each.name)
                    drop_pictures(services.engine, services.tables.blobs, job.table)
        record.forget(job.id)
    forget_request(services.settings.data_dir, job)


def _continued(services: Services, control: Control, record: RebuildRecord) -> Work | None:
    """What an earlier attempt has begun; None where it has not, or where that is no longer of use."""
    former, generation = (control.job.checkpoint.get(name) for name in ("former", "generation"))
    listed = {each.name: each for each in services.engine.generations(control.job.table)}
    if not isinstance(former, str) or not isinstance(generation, str):
        return None
    if generation in listed and listed[generation].current:
        return Work(services, control, record, former if former in listed else generation, generation)
    fits = generation in listed and former in listed and listed[former].current
    if fits and not _is_outdated(services, at(control.job.table, generation)):
        return Work(services, control, record, former, generation)
    if control.job.params.get("source"):
        # The keys that it has read would all seem to come a second time.
        raise JobError(
            f"the table or its model changed since job {control.job.id} began: cancel it and give the command again"
        )
    return None


def _is_outdated(services: Services, address: str) -> bool:
    """Whether a model is another one by now than when the generation was begun."""
    spec = services.engine.table(address)
    models = {index.name: index.model for index in spec.schema.vector_indexes.values() if index.model is not None}
    return any(
        name in models and services.embedding.fingerprint(models[name]).space != fingerprint.space
        for name, fingerprint in spec.fingerprints.items()
    )


def _begun(services: Services, control: Control, record: RebuildRecord) -> Work | None:
    job = control.job
    control.save(phase="decide")
    wanted = wanted_of(services, job)
    decision = decide(services, job.table, wanted)
    control.save(report={"changes": list(decision.sentences)})
    decision.require()
    if decision.nothing and not wanted.source and not job.params.get("force"):
        return None
    _clear(services, job)
    # Who dies before the next save finds its generation by this.
    control.save({"begins": True})
    record.forget(job.id)
    former = decision.former.generation or current(services.engine, job.table)
    mark = services.engine.mark(at(job.table, former))
    generation = services.engine.build_generation(job.table, decision.spec)
    checkpoint = {"former": former, "generation": generation, "mark": mark}
    control.save(checkpoint, done=0, counts=Counts())
    return Work(services, control, record, former, generation)


def _clear(services: Services, job: Job) -> None:
    """Drops what an earlier attempt has built. Raises JobError for what others build: a gateway with other jobs."""
    for each in services.engine.generations(job.table):
        if each.building and not _is_of(job, each) and not job.params.get("force"):
            raise JobError(
                f"generation {each.name} of table {job.table!r} is being built by somebody else; --force drops it "
                "where nobody does any more"
            )
        if each.building:
            services.engine.drop_generation(job.table, each.name)


def _is_of(job: Job, generation: Generation) -> bool:
    return bool(job.checkpoint.get("begins")) or job.checkpoint.get("generation") == generation.name


def _build(work: Work) -> None:
    source = work.job.params.get("source")
    if not work.job.checkpoint.get("filled"):
        if isinstance(source, str) and source:
            read_source(work, source)
        else:
            copy(work)
        work.save(filled=True)
    work.catch_up()
    work.retry_lacking()
    work.require_whole()
    found, least = compare(work), work.job.params.get("min_overlap")
    unlike = too_unlike(found, float(str(least))) if least is not None else []
    if unlike:
        raise JobError(
            f"generation {work.generation} answers too differently (at least {least} was asked for); nothing has "
            f"changed. Cancel job {work.job.id}, or give the command again with another --min-overlap:\n"
            + "\n".join(f"- {line}" for line in unlike)
        )


def _swap(work: Work) -> None:
    # Comparing took its time, and writers wait for what is left now.
    work.catch_up()
    swap(work, same_rows=not work.job.params.get("source"), settle=lambda: _settle(work))


def _settle(work: Work) -> None:
    """Somebody may have changed other settings meanwhile."""
    live, pairs = work.engine.table(work.source).settings, work.job.params.get("settings")
    settings = live.with_pairs(tuple(map(str, pairs)) if isinstance(pairs, list) else ())
    if settings != work.engine.table(work.target).settings:
        work.engine.set_settings(work.target, settings)


def _finish(work: Work, changes: ChangeLog) -> str:
    conclude(work, changes, "tidy up")
    dropped = drop_old(work)
    pictures = drop_pictures(work.engine, work.services.tables.blobs, work.table)
    with suppress(Cancelled):
        work.tell(dropped=dropped, pictures_removed=pictures)
    work.record.forget(work.job.id)
    forget_request(work.services.settings.data_dir, work.job)
    rows = work.engine.stats(work.target).rows
    lacking = f"; {work.job.counts.rejected} rows lack something or were rejected" if work.job.counts.rejected else ""
    return f"table {work.table} is generation {work.generation} with {rows} rows{lacking}"
