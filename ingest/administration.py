"""What the command line and /admin offer: jobs, history, tables; every change is recorded with who made it.

All results are JSON, the same whether it is done here or asked of the server that holds the data folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ingest.jobs.rejects_file import rejects_file

if TYPE_CHECKING:
    from pathlib import Path

    from havengate.settings import Settings
    from ingest.history_store import HistoryStore
    from ingest.jobs.model import Job, State
    from ingest.jobs.store import Ask, JobStore
    from ingest.rebuild.request import Rebuild
    from schemas.vendor import VendorSchema

Json = dict[str, Any]
BACKUPS = "backups"
"""The folder of the data folder that a server writes backups to, and takes them from."""


class JobAdministration(Protocol):
    """What needs no table to be opened: it can be done while another process holds the data folder."""

    def jobs(self, *, table: str | None = None, state: State | None = None, limit: int = 100) -> list[Json]:
        """Newest first."""

    def job(self, number: int) -> Json:
        """Raises JobError."""

    def rejects(self, number: int, *, after: int = 0, limit: int = 1000) -> list[Json]:
        """Rows that did not go in, oldest first, those with an id above ``after``. Raises JobError."""

    def ask(self, number: int, what: Ask) -> Json:
        """The job as it is then. Raises JobError."""

    def changes(self, *, table: str | None = None, after: int = 0, since: float = 0.0, limit: int = 100) -> list[Json]:
        """As ingest.history.ChangeLog.entries."""


class Administration(JobAdministration, Protocol):
    def create_table(self, name: str, schema: VendorSchema, pairs: Sequence[str] = ()) -> Json:
        """``pairs`` are settings, KEY=VALUE. Raises SchemaError, TableExists, ModelError, SettingsError."""

    def tables(self) -> list[Json]:
        """Counts by table, or ``error`` for one that cannot be used."""

    def table(self, name: str) -> Json:
        """Schema with its secrets masked, settings, fingerprints, counts. Raises UnknownTable."""

    def set_table(self, name: str, pairs: Sequence[str]) -> Json:
        """The settings as they are then. Raises SettingsError, UnknownTable."""

    def drop_table(self, name: str) -> Json:
        """``cancelled`` are the jobs that it had. Raises UnknownTable."""

    def image_token(self, table: str, days: int = 365) -> Json:
        """A ``token`` that opens the table's pictures (GET /images) until ``expires``, seconds of the epoch.

        Signed with the key of whoever holds the tables: a server may have another one than this process. Raises
        UnknownTable, RequestError for less than a day or more than a hundred years, SettingsError for a bad key.
        """

    def generations(self, name: str) -> list[Json]:
        """Oldest first. Raises UnknownTable."""

    def ingest(self, table: str, source: str, *, max_rejects: int | None = None, restart: bool = False) -> Json:
        """The job that reads the source: the one that was begun and has not ended, or a new one.

        It waits for a worker. Raises JobError, UnknownTable, and what opening the source raises.
        """

    def plan_rebuild(self, table: str, rebuild: Rebuild) -> Json:
        """``sentences`` of what a rebuild would do, ``refused`` why it cannot, ``nothing`` whether there is no need.

        Raises UnknownTable, SchemaError, SettingsError, ModelError.
        """

    def rebuild(self, table: str, rebuild: Rebuild) -> Json:
        """The job that does it; it waits for a worker. Raises as ``plan_rebuild``, and JobError."""

    def rollback(self, table: str, generation: str | None = None, *, strict: bool = False) -> Json:
        """The job that goes back; it waits for a worker. Raises UnknownGeneration, UnknownTable, JobError."""

    def backup(self, table: str, file: Path) -> Json:
        """Writes ``file``: its ``rows``, ``blobs`` (pictures), ``bytes``, ``lost_pictures``.

        Raises UnknownTable, RequestError where the file is there already, EngineError.
        """

    def restore(self, file: Path, table: str | None = None) -> Json:
        """Makes the ``table`` of a backup, under another name if one is given: its ``rows``, ``blobs``, and
        ``secrets``, the places in its schema whose secrets have to be set again.

        Raises SourceError for a file that is no backup or damaged, TableExists, SchemaError, EngineError.
        """


@dataclass(frozen=True, slots=True)
class JobDesk:
    """``by`` is who does it all: ``cli:<user of the system>``, or a user of the server."""

    store: JobStore
    history: HistoryStore
    by: str

    def close(self) -> None:
        self.history.close()
        self.store.close()

    def jobs(self, *, table: str | None = None, state: State | None = None, limit: int = 100) -> list[Json]:
        return [job_json(job) for job in self.store.jobs(table, state, limit)]

    def job(self, number: int) -> Json:
        return job_json(self.store.job(number))

    def rejects(self, number: int, *, after: int = 0, limit: int = 1000) -> list[Json]:
        self.store.job(number)
        return [asdict(reject) for reject in self.store.rejects(number, after, limit)]

    def ask(self, number: int, what: Ask) -> Json:
        job = self.store.ask(number, what)
        self.history.add("job", job.table, self.by, detail={"asked": what, "job": number, "kind": job.kind})
        return job_json(job)

    def changes(self, *, table: str | None = None, after: int = 0, since: float = 0.0, limit: int = 100) -> list[Json]:
        return [asdict(entry) for entry in self.history.entries(table=table, after=after, since=since, limit=limit)]


def open_job_desk(settings: Settings, by: str) -> JobDesk:
    """Over the jobs and the history of a data folder, whoever holds it."""
    from ingest.history_store import open_history
    from ingest.jobs.store import JobStore

    return JobDesk(JobStore(settings.data_dir), open_history(settings), by)


def job_json(job: Job) -> Json:
    """Without its checkpoint, which is nobody else's business; ``rejects_file`` is a path in the data folder."""
    shown = {name: value for name, value in asdict(job).items() if name != "checkpoint"}
    return shown | {"rejects_file": str(rejects_file(job.id)) if job.counts.rejected else None}
