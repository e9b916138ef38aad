"""What the command line and /admin offer: jobs, history, tables; every change is recorded with who made it.

All results are JSON, the same whether it is done here or asked of the server that holds the data folder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from havengate.errors import JobError, RequestError, UnfitTable, UnknownTable
from ingest.jobs.model import ENDED
from schemas.vendor import VendorSchema, schema_public

if TYPE_CHECKING:
    from havengate.services import Services
    from havengate.settings import Settings
    from ingest.history import What
    from ingest.history_store import HistoryStore
    from ingest.jobs.model import Job, State
    from ingest.jobs.store import Ask, JobStore

Json = dict[str, Any]
_STOPPING_S = 15.0
_POLL_S = 0.05


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

    def generations(self, name: str) -> list[Json]:
        """Oldest first. Raises UnknownTable."""

    def submit(self, kind: str, table: str, params: Mapping[str, object]) -> Json:
        """A job that waits for a worker. Raises JobError, UnknownTable."""


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


@dataclass(frozen=True, slots=True)
class LocalAdministration(JobDesk):
    """Over tables that this process holds."""

    services: Services

    def create_table(self, name: str, schema: VendorSchema, pairs: Sequence[str] = ()) -> Json:
        from schemas.settings import TableSettings

        spec = self.services.tables.create(name, schema, TableSettings().with_pairs(tuple(pairs)))
        self.history.add("table created", name, self.by, detail={"schema": schema_public(schema)})
        return {"table": name, "key": spec.schema.primary_key, "vector_indexes": [*spec.schema.vector_indexes]}

    def tables(self) -> list[Json]:
        return [self._counts(name) for name in self.services.tables.names()]

    def table(self, name: str) -> Json:
        from schemas.vendor import read_schema

        spec, stats = self.services.engine.table(name), self.services.engine.stats(name)
        return {
            "table": name,
            "schema": schema_public(read_schema(json.dumps(spec.vendor_schema))),
            "settings": spec.settings.model_dump(),
            "fingerprints": {index: asdict(fingerprint) for index, fingerprint in spec.fingerprints.items()},
            "stats": json.loads(json.dumps(asdict(stats))),
        }

    def set_table(self, name: str, pairs: Sequence[str]) -> Json:
        before = self.services.engine.table(name).settings
        after = before.with_pairs(tuple(pairs))
        self.services.engine.set_settings(name, after)
        former, settings = before.model_dump(), after.model_dump()
        changed = [key for key in settings if settings[key] != former[key]]
        recorded: tuple[tuple[What, set[str]], ...] = (
            ("source", {"source"} & {*changed}),
            ("settings", {*changed} - {"source"}),
        )
        for what, keys in recorded:
            if keys:
                sentences = [f"{key}: {former[key]} becomes {settings[key]}" for key in settings if key in keys]
                self.history.add(what, name, self.by, detail={"changes": sentences})
        return settings

    def drop_table(self, name: str) -> Json:
        # A table that others changed cannot be used, but it can be dropped.
        with suppress(UnfitTable):
            self.services.engine.table(name)
        for job in self._unfinished(name):
            with suppress(JobError):
                self.store.ask(job.id, "cancel")
        self._wait_until_stopped(name)
        self.services.tables.drop(name)
        cancelled = [job.id for job in self._unfinished(name)]
        for number in cancelled:
            self.store.finish(number, "cancelled", f"table {name} was dropped")
        self.history.add("table dropped", name, self.by, detail={"cancelled": cancelled} if cancelled else {})
        return {"table": name, "cancelled": cancelled}

    def generations(self, name: str) -> list[Json]:
        return [asdict(generation) for generation in self.services.engine.generations(name)]

    def submit(self, kind: str, table: str, params: Mapping[str, object]) -> Json:
        from ingest.kinds import KINDS

        if kind not in KINDS:
            raise RequestError(f"no kind of job {kind!r}; there are: {', '.join(KINDS)}")
        if table not in self.services.tables.names():
            raise UnknownTable(f"no table {table!r}")
        return job_json(self.store.add(kind, table, params, self.by))

    def _counts(self, name: str) -> Json:
        try:
            return {"table": name, **asdict(self.services.engine.stats(name))}
        except UnfitTable as error:
            return {"table": name, "error": error.message}

    def _unfinished(self, table: str) -> list[Job]:
        return [job for job in self.store.jobs(table, limit=-1) if job.state not in ENDED]

    def _wait_until_stopped(self, table: str) -> None:
        """Raises JobError where a job goes on."""
        end = time.monotonic() + _STOPPING_S
        while held := [job.id for job in self._unfinished(table) if self.store.is_held(job.id)]:
            if time.monotonic() > end:
                raise JobError(f"job {held[0]} of table {table} was told to end and still runs; try again")
            time.sleep(_POLL_S)


def open_administration(services: Services, by: str) -> LocalAdministration:
    """Over the jobs and the history beside these tables; ``close`` it before the services."""
    from ingest.history_store import open_history
    from ingest.jobs.store import JobStore

    data_dir = services.settings.data_dir
    return LocalAdministration(JobStore(data_dir), open_history(services.settings, services.engine), by, services)


def open_job_desk(settings: Settings, by: str) -> JobDesk:
    """Over the jobs and the history of a data folder, whoever holds it."""
    from ingest.history_store import open_history
    from ingest.jobs.store import JobStore

    return JobDesk(JobStore(settings.data_dir), open_history(settings), by)


def job_json(job: Job) -> Json:
    """Without its checkpoint, which is nobody else's business."""
    return {name: value for name, value in asdict(job).items() if name != "checkpoint"}
