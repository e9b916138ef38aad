"""The job kind "ingest": all rows of a source into a table.

params  ``source``: what ``open_source`` takes; ``max_rejects``: how many rows may be rejected (null: any number)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from havengate.errors import SourceChanged
from ingest.jobs.model import ENDED
from ingest.jobs.runner import run_job
from ingest.pipeline import ingest_into

if TYPE_CHECKING:
    from engines.contract import TableSpec
    from havengate.services import Services
    from ingest.history import ChangeLog
    from ingest.jobs.model import Control, Job
    from ingest.jobs.store import JobStore
    from ingest.sources.base import Source

KIND = "ingest"


def run_ingest(services: Services, _: ChangeLog, control: Control) -> str:
    """Goes on behind the job's checkpoint. Raises as ``ingest_into``, and RequestError, SettingsError as the source."""
    params, spec = control.job.params, services.engine.table(control.job.table)
    source = opened(services, spec, str(params["source"]))
    most = params.get("max_rejects")
    control.save(phase="ingest", report={"source": source.name})
    try:
        counts = ingest_into(services, control, source, spec, max_rejects=None if most is None else int(str(most)))
    except SourceChanged as error:
        raise SourceChanged(f"{error.message} (`havengate ingest --restart` reads it from its beginning)") from error
    control.save(report={"source": source.name, "left_out": source.left_out()})
    return f"{counts.written} rows in, {counts.rejected} rejected"


def opened(services: Services, spec: TableSpec, text: str) -> Source:
    """The source that a text means for this table. Raises as ``open_source``."""
    from ingest.sources.opening import open_source

    blobs, readers = services.tables.blobs, services.readers
    return open_source(text, spec, settings=services.settings, engine=services.engine, blobs=blobs, readers=readers)


def job_for(
    services: Services,
    changes: ChangeLog,
    store: JobStore,
    table: str,
    text: str,
    *,
    by: str,
    max_rejects: int | None = None,
    restart: bool = False,
) -> Job:
    """The unfinished job of this table and source, from now on with this limit, or a new one.

    With ``restart`` the unfinished one is cancelled. Raises JobError where that runs elsewhere, UnknownTable, and what
    opening the source raises, before there is a job.
    """
    # Who never has a server or a worker has no other moment for it.
    store.prune(services.settings.jobs.keep_days)
    job = store.unfinished(KIND, table, {"source": text})
    if job is not None and not restart:
        return store.amend(job.id, {"max_rejects": max_rejects})
    opened(services, services.engine.table(table), text)
    if job is not None and store.ask(job.id, "cancel").state not in ENDED:
        run_job(services, changes, store, job.id)
    return store.add(KIND, table, {"source": text, "max_rejects": max_rejects}, by)
