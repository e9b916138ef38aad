"""The change history on SQLite: entries and versions of schemas in ``jobs.sqlite``, beside the jobs."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from havengate.errors import HavengateError
from ingest.history import Change, What
from ingest.jobs.database import Database
from ingest.publishing import Publisher
from schemas.vendor import masked

if TYPE_CHECKING:
    from engines.contract import Engine
    from havengate.settings import Settings

_LOG = logging.getLogger(__name__)
_HOUR_S = 3600
_DAY_S = 86_400
_VERSIONED: frozenset[What] = frozenset({"schema", "table created", "table restored"})
_COLUMNS = tuple(field.name for field in fields(Change))
_PUSHED = """
INSERT INTO changes (what, "table", by, at, version, state, written, deleted, rejected, ended, detail, hour, changed)
VALUES ('push', :table, :by, :now, (SELECT COALESCE(MAX(version), 0) FROM versions WHERE "table" = :table), 'done',
  :written, :deleted, :rejected, :now, '{"pushes": 1}', :hour, :now)
ON CONFLICT ("table", by, hour) WHERE hour IS NOT NULL DO UPDATE SET
  written = written + :written, deleted = deleted + :deleted, rejected = rejected + :rejected, ended = :now,
  version = excluded.version, changed = :now, published = 0,
  detail = json_set(detail, '$.pushes', json_extract(detail, '$.pushes') + 1)
"""


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """One schema that a table has had, secrets masked."""

    table: str
    version: int
    schema: Mapping[str, object]
    at: float
    by: str


class HistoryStore:
    """Implements ingest.history.ChangeLog. The file is made by the first entry, so that looking leaves no trace.

    An entry is committed when the call returns, but not synced: a machine that loses its power may forget the last.
    """

    def __init__(
        self,
        data_dir: Path,
        publish: Callable[[str, Mapping[str, object]], None] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``publish`` gets every entry, soon after it was written; see engines.contract.Engine.publish."""
        self._now = now
        self._database = Database(data_dir, "the change history in", durable=False)
        self._publisher = Publisher(self._unpublished, publish) if publish else None

    def close(self) -> None:
        """Publishes what is left, as far as the cluster takes it."""
        if self._publisher:
            self._publisher.close()
        self._database.close()

    def add(
        self, what: What, table: str, by: str, *, job: int | None = None, detail: Mapping[str, object] | None = None
    ) -> Change:
        """As the protocol's; a "schema" in ``detail`` is kept as the table's version instead of in the entry.

        Raises EngineError where the file cannot be written.
        """
        now, told = self._now(), _masked(detail or {})
        schema = told.pop("schema", None)
        with self._database.writing() as file:
            version = _version(file, table)
            if what in _VERSIONED:
                version += 1
                row = (table, version, json.dumps(schema or {}), now, by)
                file.execute("INSERT INTO versions VALUES (?, ?, ?, ?, ?)", row)
            change = Change(
                0,
                what,
                table,
                by,
                now,
                version,
                job,
                "queued" if job else "done",
                ended=None if job else now,
                detail=told,
            )
            names = _COLUMNS[1:]
            marks = ", ".join("?" * (len(names) + 1))
            inserted = file.execute(
                f"INSERT INTO changes ({_listed(names)}, changed) VALUES ({marks})",  # noqa: S608  our own names
                (*_values(change)[1:], now),
            )
            change = replace(change, id=inserted.lastrowid or 0)
        self._tell()
        return change

    def update(self, change: Change) -> None:
        """Raises EngineError where the file cannot be written."""
        told = replace(change, detail=_masked(change.detail))
        sets = ", ".join(f'"{name}" = ?' for name in _COLUMNS[1:])
        with self._database.writing() as file:
            file.execute(
                f"UPDATE changes SET {sets}, changed = ?, published = 0 WHERE id = ?",  # noqa: S608  our own names
                (*_values(told)[1:], self._now(), change.id),
            )
        self._tell()

    def pushed(self, table: str, by: str, *, written: int, deleted: int, rejected: int) -> None:
        """Never raises: what has been written is not undone because a line about it could not be."""
        now = self._now()
        counts = {"written": written, "deleted": deleted, "rejected": rejected}
        try:
            with self._database.writing() as file:
                file.execute(_PUSHED, {"table": table, "by": by, "now": now, "hour": int(now // _HOUR_S), **counts})
        except HavengateError as error:
            _LOG.warning("a push into table %s is missing in the change history: %s", table, error.message)
        self._tell()

    def entries(
        self, *, table: str | None = None, after: int = 0, since: float = 0.0, limit: int = 100
    ) -> list[Change]:
        """Without ``after`` and ``since`` the newest ``limit`` entries, with them the oldest of those."""
        conditions = [*(["id > :after"] if after else []), *(["changed >= :since"] if since else [])]
        where = f"({' OR '.join(conditions) or 'TRUE'})" + (' AND "table" = :table' if table is not None else "")
        newest = "" if conditions else "DESC"
        rows = self._read(
            f"SELECT {_listed(_COLUMNS)} FROM changes WHERE {where} ORDER BY id {newest} LIMIT :limit",  # noqa: S608
            {"after": after, "since": since, "table": table, "limit": limit},
        )
        return sorted((_change(row) for row in rows), key=lambda change: change.id)

    def versions(self, table: str) -> list[SchemaVersion]:
        """Oldest first."""
        rows = self._read('SELECT * FROM versions WHERE "table" = ? ORDER BY version', (table,))
        return [SchemaVersion(name, version, json.loads(schema), at, by) for name, version, schema, at, by in rows]

    def prune(self, keep_days: int) -> int:
        """Forgets entries that ended longer ago, and versions of schemas but each table's last; how many entries."""
        before = self._now() - keep_days * _DAY_S
        with self._database.writing() as file:
            gone = file.execute("DELETE FROM changes WHERE ended < ? AND changed < ?", (before, before)).rowcount
            file.execute(
                "DELETE FROM versions AS old WHERE at < ? AND version < "
                '(SELECT MAX(version) FROM versions WHERE "table" = old."table")',
                (before,),
            )
        return gone

    def _tell(self) -> None:
        if self._publisher:
            self._publisher.wake()

    def _unpublished(self, most: int, done: Mapping[int, float]) -> list[tuple[str, int, float, Mapping[str, object]]]:
        """Notes what was published as of when; (key, id, when it changed, JSON) of what has not been."""
        with self._database.writing() as file:
            file.executemany("UPDATE changes SET published = 1 WHERE id = ? AND changed = ?", done.items())
            (origin,) = file.execute("SELECT origin FROM history").fetchone()
            rows = file.execute(
                f"SELECT {_listed(_COLUMNS)}, changed FROM changes WHERE published = 0 "  # noqa: S608  our own names
                "ORDER BY changed LIMIT ?",
                (most,),
            ).fetchall()
        return [(f"{origin}-{row[0]}", row[0], row[-1], asdict(_change(row[:-1]))) for row in rows]

    def _read(self, query: str, values: tuple[object, ...] | Mapping[str, object]) -> list[tuple[Any, ...]]:
        with self._database.reading() as file:
            return file.execute(query, values).fetchall()


def open_history(settings: Settings, engine: Engine | None = None) -> HistoryStore:
    """The history of a data folder; with an engine, entries are published through it where it has a place for them."""
    shown = engine is not None and settings.engine.kind != "embedded"
    return HistoryStore(settings.data_dir, partial(engine.publish, "changes") if engine and shown else None)


def _masked(detail: Mapping[str, object]) -> dict[str, object]:
    """Whoever records something has masked it; this is for the one who forgot."""
    shown = masked(dict(detail))
    return shown if isinstance(shown, dict) else {}


def _version(file: sqlite3.Connection, table: str) -> int:
    (version,) = file.execute('SELECT COALESCE(MAX(version), 0) FROM versions WHERE "table" = ?', (table,)).fetchone()
    return int(version)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _values(change: Change) -> tuple[object, ...]:
    values = (getattr(change, name) for name in _COLUMNS)
    return tuple(json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else value for value in values)


def _change(row: tuple[Any, ...]) -> Change:
    values = dict(zip(_COLUMNS, row, strict=True))
    return Change(**values | {"detail": json.loads(values["detail"])})
