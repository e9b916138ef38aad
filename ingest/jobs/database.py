"""``jobs.sqlite``: opened by the first write, one connection for all threads, one transaction for each use.

jobs(…)                     as ingest.jobs.model.Job, one column for each of its fields
rejects(job, place, pk, …)  in the order in which they were found
keys(job, pk, place)        keys that a job has written, gone when it ends
swaps and others            as ingest.rebuild.record
changes and others          as ingest.history_store
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from havengate.errors import EngineError, JobError

FILE = "jobs.sqlite"
_BUSY_S = 10.0
# Forward only: a released step is never edited, what changes is a step of its own.
_STEPS = (
    """
    CREATE TABLE jobs (
      id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, "table" TEXT NOT NULL, params TEXT NOT NULL,
      state TEXT NOT NULL, wanted TEXT NOT NULL DEFAULT '', owner TEXT NOT NULL DEFAULT '',
      heartbeat REAL NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
      not_before REAL NOT NULL DEFAULT 0, phase TEXT NOT NULL DEFAULT '', done INTEGER NOT NULL DEFAULT 0,
      total INTEGER, read INTEGER NOT NULL DEFAULT 0, written INTEGER NOT NULL DEFAULT 0,
      deleted INTEGER NOT NULL DEFAULT 0, rejected INTEGER NOT NULL DEFAULT 0, checkpoint TEXT NOT NULL DEFAULT '{}',
      message TEXT NOT NULL DEFAULT '', report TEXT NOT NULL DEFAULT '{}', by TEXT NOT NULL, created REAL NOT NULL,
      started REAL, ended REAL);
    CREATE INDEX jobs_state ON jobs (state);
    CREATE TABLE rejects (
      id INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL, place TEXT NOT NULL, pk TEXT, reason TEXT NOT NULL);
    CREATE INDEX rejects_job ON rejects (job, id);
    CREATE TABLE keys (job INTEGER, pk TEXT, place TEXT NOT NULL, PRIMARY KEY (job, pk)) WITHOUT ROWID;
    """,
    # IF NOT EXISTS: both parts made their tables by themselves before they were steps.
    """
    CREATE TABLE IF NOT EXISTS swaps (
      id INTEGER PRIMARY KEY AUTOINCREMENT, "table" TEXT NOT NULL, job INTEGER UNIQUE, former TEXT NOT NULL,
      current TEXT NOT NULL, mark TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS unconverted (
      job INTEGER, pk TEXT, reason TEXT NOT NULL, PRIMARY KEY (job, pk)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS recorded_queries (
      "table" TEXT, "index" TEXT, text TEXT, at REAL NOT NULL, PRIMARY KEY ("table", "index", text)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS partitions ("table" TEXT, source TEXT, PRIMARY KEY ("table", source)) WITHOUT ROWID;
    """,
    """
    CREATE TABLE IF NOT EXISTS changes (
      id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT NOT NULL, "table" TEXT NOT NULL, by TEXT NOT NULL,
      at REAL NOT NULL, version INTEGER NOT NULL, job INTEGER, state TEXT NOT NULL, progress REAL,
      read INTEGER NOT NULL DEFAULT 0, written INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,
      rejected INTEGER NOT NULL DEFAULT 0, ended REAL, detail TEXT NOT NULL, hour INTEGER, changed REAL NOT NULL,
      published INTEGER NOT NULL DEFAULT 0);
    CREATE UNIQUE INDEX IF NOT EXISTS changes_pushes ON changes ("table", by, hour) WHERE hour IS NOT NULL;
    CREATE INDEX IF NOT EXISTS changes_changed ON changes (changed);
    CREATE INDEX IF NOT EXISTS changes_unpublished ON changes (id) WHERE published = 0;
    CREATE TABLE IF NOT EXISTS versions (
      "table" TEXT NOT NULL, version INTEGER NOT NULL, schema TEXT NOT NULL, at REAL NOT NULL, by TEXT NOT NULL,
      PRIMARY KEY ("table", version));
    CREATE TABLE IF NOT EXISTS history (id INTEGER PRIMARY KEY CHECK (id = 1), origin TEXT NOT NULL);
    INSERT OR IGNORE INTO history VALUES (1, lower(hex(randomblob(8))));
    """,
)


class Database:
    """Thread-safe. Raises EngineError where the file cannot be read or written, JobError where a newer version has
    written it.
    """

    def __init__(self, data_dir: Path, label: str = "the job table", *, durable: bool = True) -> None:
        """``label`` is its name in messages. Not ``durable``: a machine that goes down may take the last writes."""
        self._path = data_dir / FILE
        self._label = label
        self._synchronous = "FULL" if durable else "NORMAL"
        self._mutex = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one moment. Where there is no file yet, it sees empty tables, and leaves no trace."""
        if self._connection is None and not self._path.exists():
            with self._translated():
                empty = _connect(":memory:", self._synchronous)
            try:
                yield empty
            finally:
                empty.close()
            return
        with self._used("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is on the disk when the context ends; no other process writes meanwhile."""
        with self._used("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _used(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._mutex, self._translated():
            if self._connection is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                # SQLite gives its files beside this one the same mode.
                self._path.touch(0o600)
                self._connection = _connect(str(self._path), self._synchronous)
            with _transaction(self._connection, begin):
                yield self._connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise EngineError(f"{self._label} {self._path}: {error}") from error


def _connect(path: str, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        _upgrade(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _upgrade(connection: sqlite3.Connection) -> None:
    if _version(connection) == len(_STEPS):
        return
    with _transaction(connection, "BEGIN IMMEDIATE"):
        connection.execute("CREATE TABLE IF NOT EXISTS parts (name TEXT PRIMARY KEY, version INTEGER NOT NULL)")
        # Another process may have been faster.
        version = _version(connection)
        if version > len(_STEPS):
            raise JobError(
                f"the job table is of version {version}, this havengate knows {len(_STEPS)}: use a newer one"
            )
        for step in _STEPS[version:]:
            # executescript would commit first.
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement)
        connection.execute("INSERT OR REPLACE INTO parts VALUES ('jobs', ?)", (len(_STEPS),))


def _version(connection: sqlite3.Connection) -> int:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'parts'").fetchone():
        return 0
    row = connection.execute("SELECT version FROM parts WHERE name = 'jobs'").fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite itself rolls back on a full disk, and then there is nothing left to roll back.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
