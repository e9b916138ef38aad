"""Asking for a rebuild or a rollback: the parameters of their jobs, which hold no secret.

rebuild   schema (the vendor's JSON, masked), settings (KEY=VALUE), source, force, max_rejects, min_overlap
rollback  generation, max_rejects (None: rows that cannot come along are told of and stop nothing)
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from havengate.errors import EngineError, JobError, RequestError, SchemaError, UnknownGeneration
from ingest.jobs.model import ENDED
from ingest.rebuild.decide import Decision, Wanted, decide, vendor_of
from ingest.rebuild.swap import previous
from ingest.sources.opening import check_source
from schemas.vendor import masked

if TYPE_CHECKING:
    from engines.contract import TableSpec
    from havengate.services import Services
    from ingest.jobs.model import Job
    from ingest.jobs.store import JobStore

_FOLDER = "jobs"
_SUFFIX = ".schema.json"
_FRESH_S = 60.0
"""A request is written down before its job."""
FROM_TABLE = "the table's"
"""Stands for the source that the table's settings name."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """What somebody asks for.

    force        also where nothing differs
    max_rejects  how many rows may lack something, or be rejected by the source; None: any number
    min_overlap  the least overlap@10 of any index that is put up with; None: any
    """

    wanted: Wanted = field(default_factory=Wanted)
    force: bool = False
    max_rejects: int | None = 0
    min_overlap: float | None = None


def plan_rebuild(services: Services, table: str, rebuild: Rebuild) -> Decision:
    """What the rebuild would do. Raises as ``decide``, RequestError where the table names no source."""
    return decide(services, table, _with_source(services, table, rebuild.wanted))


def ask_rebuild(services: Services, store: JobStore, table: str, rebuild: Rebuild, by: str) -> Job:
    """The job that does it: one that was begun with the same command, with its limits as they are now, or a new one.

    Raises SchemaError with every reason why it cannot be done, UnknownTable, JobError where another one has been
    begun.
    """
    wanted = _with_source(services, table, rebuild.wanted)
    decide(services, table, wanted).require()
    schema = None if wanted.schema is None else masked(dict(wanted.schema))
    same = {"schema": schema, "settings": list(wanted.settings), "source": wanted.source, "force": rebuild.force}
    limits = {"max_rejects": rebuild.max_rejects, "min_overlap": rebuild.min_overlap}
    if begun := store.unfinished("rebuild", table, same):
        return store.amend(begun.id, {**limits, "secrets": _keep_secrets(services, begun, wanted)})
    _require_none_begun(store, table)
    secret = _keep_secrets(services, _Asked(table, same), wanted)
    return store.add("rebuild", table, {**same, "secrets": secret, **limits}, by)


def ask_rollback(
    services: Services, store: JobStore, table: str, generation: str | None, by: str, *, strict: bool = False
) -> Job:
    """The job that goes back to a kept generation, by default the one before the current one.

    Raises UnknownGeneration, UnknownTable, JobError where it is the current one, or a rebuild has been begun.
    """
    limits = {"max_rejects": 0 if strict else None}
    # One that was killed behind its swap: its generation is the current one.
    if begun := store.unfinished("rollback", table, {} if generation is None else {"generation": generation}):
        return store.amend(begun.id, limits)
    listed = {each.name: each for each in services.engine.generations(table)}
    wanted = generation or previous(services.engine, table)
    if wanted not in listed or listed[wanted].building:
        known = ", ".join(name for name, each in listed.items() if not each.building)
        raise UnknownGeneration(f"table {table!r} has no generation {wanted!r}; there are: {known}")
    if listed[wanted].current:
        raise JobError(f"table {table!r} is generation {wanted} already")
    _require_none_begun(store, table)
    return store.add("rollback", table, {"generation": wanted, **limits}, by)


def wanted_of(services: Services, job: Job) -> Wanted:
    """What a job's parameters ask for, with the secrets that were kept apart. Raises JobError where they are lost."""
    schema, settings = job.params.get("schema"), job.params.get("settings")
    if job.params.get("secrets"):
        try:
            schema = json.loads(_file(services.settings.data_dir, job).read_bytes())
        except (OSError, ValueError) as error:
            raise JobError(
                f"job {job.id} has lost its schema's secrets: cancel it and give the command again"
            ) from error
    return Wanted(
        schema if isinstance(schema, Mapping) else None,
        tuple(str(pair) for pair in settings) if isinstance(settings, list) else (),
        str(job.params.get("source") or ""),
    )


def forget_request(data_dir: Path, job: Job) -> None:
    """The secrets of a job that has ended are gone."""
    if job.params.get("secrets"):
        _file(data_dir, job).unlink(missing_ok=True)


def forget_requests(data_dir: Path, store: JobStore) -> None:
    """Removes the secrets of jobs that ended without a word: their table was dropped, or their process killed."""
    files = [file for file in (data_dir / _FOLDER).glob(f"*{_SUFFIX}") if time.time() - file.stat().st_mtime > _FRESH_S]
    if files:
        jobs = [job for job in store.jobs(limit=-1) if job.kind == "rebuild" and job.state not in ENDED]
        for file in {*files} - {_file(data_dir, job) for job in jobs}:
            file.unlink(missing_ok=True)


def _with_source(services: Services, table: str, wanted: Wanted) -> Wanted:
    """Raises RequestError for a source that can be none, or holds what looks like keys."""
    former = services.engine.table(table).settings
    settings = former.with_pairs(wanted.settings)
    named = {wanted.source} - {"", FROM_TABLE} | {settings.source} - {"", former.source}
    for text in named:
        check_source(text)
    if wanted.source != FROM_TABLE:
        return wanted
    if not settings.source:
        raise RequestError(f"table {table!r} has no source: --from-source SOURCE, or --set source=SOURCE beside it")
    return replace(wanted, source=settings.source)


def _require_none_begun(store: JobStore, table: str) -> None:
    for job in store.jobs(table, limit=-1):
        if job.kind in ("rebuild", "rollback") and job.state not in ENDED:
            raise JobError(
                f"job {job.id} ({job.kind} of {table}) has been begun and is {job.state}: resume or cancel it first"
            )


@dataclass(frozen=True, slots=True)
class _Asked:
    table: str
    params: Mapping[str, object]


def _keep_secrets(services: Services, asked: Job | _Asked, wanted: Wanted) -> bool:
    """Puts a schema beside the jobs whose secrets are not those that the table has; whether it had to."""
    former = services.engine.table(asked.table)
    if wanted.schema is None:
        return False
    full = vendor_of(former, wanted.schema).to_json()
    public = masked(full)
    if isinstance(public, Mapping) and _restored(former, public) == full:
        return False
    _write(_file(services.settings.data_dir, asked), json.dumps(full).encode())
    return True


def _restored(former: TableSpec, public: Mapping[str, object]) -> object:
    """What a masked schema comes to by itself; None where the table has not all of its secrets."""
    try:
        return vendor_of(former, public).to_json()
    except SchemaError:
        return None


def _file(data_dir: Path, asked: Job | _Asked) -> Path:
    # By what may be known: the same command finds the same file.
    known = json.dumps(asked.params.get("schema"), sort_keys=True).encode()
    return data_dir / _FOLDER / f"{asked.table}-{hashlib.sha256(known).hexdigest()[:16]}{_SUFFIX}"


def _write(file: Path, data: bytes) -> None:
    fresh = file.with_suffix(".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        fresh.rename(file)
    except OSError as error:
        raise EngineError(f"the schema of a job cannot be kept in {file.parent}: {error}") from error
