"""The administration of tables that this process holds."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engines.contract import table_of
from havengate import image_tokens
from havengate.errors import JobError, RequestError, SettingsError, UnfitTable, UnknownGeneration, UnknownTable
from ingest.administration import JobDesk, Json, job_json
from ingest.jobs.model import ENDED
from schemas.settings import TableSettings
from schemas.vendor import VendorSchema, masked, read_schema, schema_public

if TYPE_CHECKING:
    from havengate.services import Services
    from ingest.backup_file import Progress
    from ingest.history import What
    from ingest.jobs.model import Job
    from ingest.rebuild.request import Rebuild

_STOPPING_S = 15.0
_POLL_S = 0.05
_DAY_S = 86_400
_MOST_DAYS = 36_500
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|table:")


@dataclass(frozen=True, slots=True)
class LocalAdministration(JobDesk):
    """Over tables that this process holds."""

    services: Services
    wake: Callable[[], None] | None = None
    """Tells the worker of this process that there is a job; None where whoever asks for a job runs it."""

    def create_table(self, name: str, schema: VendorSchema, pairs: Sequence[str] = ()) -> Json:
        fresh = TableSettings(image_tokens=image_tokens.first_series())
        spec = self.services.tables.create(name, schema, _changed(fresh, pairs))
        self.history.add("table created", name, self.by, detail={"schema": schema_public(schema)})
        return {"table": name, "key": spec.schema.primary_key, "vector_indexes": [*spec.schema.vector_indexes]}

    def tables(self) -> list[Json]:
        return [self._counts(name) for name in self.services.tables.names()]

    def table(self, name: str) -> Json:
        spec, stats = self.services.engine.table(name), self.services.engine.stats(name)
        return {
            "table": name,
            "schema": schema_public(read_schema(json.dumps(spec.vendor_schema))),
            "settings": spec.settings.model_dump(),
            "fingerprints": {index: asdict(fingerprint) for index, fingerprint in spec.fingerprints.items()},
            "stats": json.loads(json.dumps(asdict(stats))),
        }

    def set_table(self, name: str, pairs: Sequence[str]) -> Json:
        _require_table(name)
        before = self.services.engine.table(name).settings
        after = _changed(before, pairs)
        self.services.engine.set_settings(name, after)
        former, settings = before.model_dump(), after.model_dump()
        changed = [key for key in settings if settings[key] != former[key]]
        sentences = [f"{key}: {former[key]!r} becomes {settings[key]!r}" for key in changed]
        if sentences:
            what: What = "source" if "source" in changed else "settings"
            self.history.add(what, name, self.by, detail={"changes": sentences})
        return settings

    def drop_table(self, name: str) -> Json:
        from ingest.rebuild.request import forget_request

        # A table that others changed cannot be used, but it can be dropped.
        with suppress(UnfitTable):
            self.services.engine.table(name)
        numbers = [job.id for job in self._unfinished(name)]
        for number in numbers:
            with suppress(JobError):
                self.store.ask(number, "cancel")
        self._wait_until_stopped(name)
        self.services.tables.drop(name)
        cancelled = [number for number in numbers if self.store.job(number).state != "done"]
        for number in cancelled:
            # The table is gone with all that a job could have left half-done, but for secrets that it was given.
            forget_request(self.services.settings.data_dir, self.store.job(number))
            self.store.finish(number, "cancelled", f"table {name} was dropped")
        self.history.add("table dropped", name, self.by, detail={"cancelled": cancelled} if cancelled else {})
        return {"table": name, "cancelled": cancelled}

    def image_token(self, table: str, days: int = 365) -> Json:
        if not 1 <= days <= _MOST_DAYS:
            raise RequestError(f"a token is valid for 1 to {_MOST_DAYS} days, not {days}")
        _require_table(table)
        series = self.services.engine.table(table).settings.image_tokens
        expires = int(time.time()) + days * _DAY_S
        token = image_tokens.make(image_tokens.load_key(self.services.settings), table, series, expires)
        self.history.add("image token", table, self.by, detail={"changes": [f"valid for {days} days, series {series}"]})
        return {"table": table, "token": token, "series": series, "expires": expires}

    def generations(self, name: str) -> list[Json]:
        return [asdict(generation) for generation in self.services.engine.generations(name)]

    def ingest(self, table: str, source: str, *, max_rejects: int | None = None, restart: bool = False) -> Json:
        from ingest.ingest_job import KIND, job_for

        _require_table(table)
        _require_source(source)
        here = self.wake is None
        if restart and not here and (begun := self.store.unfinished(KIND, table, {"source": source})):
            self.store.ask(begun.id, "cancel")
            self._wait_until_ended(begun.id)
        return self._queued(
            job_for(
                self.services,
                self.history,
                self.store,
                table,
                source,
                by=self.by,
                max_rejects=max_rejects,
                restart=restart and here,
            )
        )

    def plan_rebuild(self, table: str, rebuild: Rebuild) -> Json:
        from ingest.rebuild.request import plan_rebuild

        self._require_sources(table, rebuild)
        decision = plan_rebuild(self.services, table, rebuild)
        refused = [str(step) for step in decision.refused]
        return {"nothing": decision.nothing, "sentences": [*decision.sentences], "refused": refused}

    def rebuild(self, table: str, rebuild: Rebuild) -> Json:
        from ingest.rebuild.request import ask_rebuild

        self._require_sources(table, rebuild)
        return self._queued(ask_rebuild(self.services, self.store, table, rebuild, self.by))

    def rollback(self, table: str, generation: str | None = None, *, strict: bool = False) -> Json:
        from ingest.rebuild.request import ask_rollback

        names = [each.name for each in self.services.engine.generations(table)]
        if generation is not None and generation not in names:
            raise UnknownGeneration(f"table {table!r} has no generation {generation!r}; there are: {', '.join(names)}")
        return self._queued(ask_rollback(self.services, self.store, table, generation, self.by, strict=strict))

    def backup(self, table: str, file: Path, progress: Progress = lambda *_: None) -> Json:
        from ingest.backup import backup

        made = asdict(backup(self.services.engine, self.services.tables.blobs, table, file, progress))
        self.history.add("backup", table, self.by, detail={"file": str(file), **made})
        return made

    def restore(self, file: Path, table: str | None = None, progress: Progress = lambda *_: None) -> Json:
        from ingest.restore import restore

        made = asdict(restore(self.services.engine, self.services.tables.blobs, file, table, progress))
        schema = masked(dict(self.services.engine.table(made["table"]).vendor_schema))
        detail = {"schema": schema, "file": str(file), "rows": made["rows"]}
        self.history.add("table restored", made["table"], self.by, detail=detail)
        return {**made, "secrets": [*made["secrets"]]}

    def _require_sources(self, table: str, rebuild: Rebuild) -> None:
        from ingest.rebuild.request import FROM_TABLE

        _changed(self.services.engine.table(table).settings, rebuild.wanted.settings)
        if rebuild.wanted.source not in ("", FROM_TABLE):
            _require_source(rebuild.wanted.source)

    def _queued(self, job: Job) -> Json:
        """The same command lets a job go on that was paused or has failed."""
        if job.state != "running" or job.wanted:
            job = self.store.ask(job.id, "resume")
        self._wake()
        return job_json(job)

    def _wake(self) -> None:
        if self.wake is not None:
            self.wake()

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

    def _wait_until_ended(self, number: int) -> None:
        """Whoever runs it, or the worker that tidies up behind it, ends it. Raises JobError where nobody does."""
        end = time.monotonic() + _STOPPING_S
        while self.store.job(number).state not in ENDED:
            if time.monotonic() > end:
                raise JobError(f"job {number} was told to end and has not; try again")
            self._wake()
            time.sleep(_POLL_S)


def _require_table(name: str) -> None:
    """Raises UnknownTable for a generation's address: jobs, settings and the history are of tables."""
    if table_of(name) != name:
        raise UnknownTable(f"no table {name!r}")


def _changed(settings: TableSettings, pairs: Sequence[str]) -> TableSettings:
    """Raises SettingsError, also where revoked tokens would be valid again; RequestError for a source that is none."""
    changed = settings.with_pairs(tuple(pairs))
    if changed.image_tokens < settings.image_tokens:
        raise SettingsError(f"image_tokens only counts up from {settings.image_tokens}: lower series were revoked")
    if changed.source and changed.source != settings.source:
        _require_source(changed.source)
    return changed


def _require_source(source: str) -> None:
    """Raises RequestError for what holds keys, which would be shown everywhere, and for a path that is not absolute."""
    from ingest.sources.opening import check_source

    check_source(source)
    if not (_SCHEME.match(source) or Path(source).is_absolute()):
        raise RequestError(f"{source}: a source's path is absolute, because nobody knows where it will be read")


def open_administration(services: Services, by: str) -> LocalAdministration:
    """Over the jobs and the history beside these tables; ``close`` it before the services."""
    from ingest.history_store import open_history
    from ingest.jobs.store import JobStore

    data_dir = services.settings.data_dir
    return LocalAdministration(JobStore(data_dir), open_history(services.settings, services.engine), by, services)
