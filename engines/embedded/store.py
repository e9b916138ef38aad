"""The truth of one table: SQLite in WAL mode, every commit synced to the disk.

rows(pk, fields)                   fields as JSON, the key included
vectors(pk, field, vector, source) little-endian float32, and the content hash of the picture behind it
journal(pk, seq)                   the number of the last call that wrote or deleted the key
"""

from __future__ import annotations

import json
import queue
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from havengate.types import Row

if TYPE_CHECKING:
    from pathlib import Path

    from havengate.types import Value, Vector

_SCHEMA = """
CREATE TABLE rows (pk TEXT PRIMARY KEY, fields TEXT NOT NULL);
CREATE TABLE vectors (pk TEXT, field TEXT, vector BLOB NOT NULL, source TEXT, PRIMARY KEY (pk, field));
CREATE INDEX vectors_source ON vectors (field, source) WHERE source IS NOT NULL;
"""
_JOURNAL = """
CREATE TABLE IF NOT EXISTS journal (pk TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS journal_seq ON journal (seq);
"""
"""Files of older versions lack it: what they hold is older than every mark."""
_FLOAT = np.dtype("<f4")
_KEYS_PER_QUERY = 500
_BUSY_S = 5.0


class RowStore:
    """One writing connection (the caller serialises its use) and as many reading ones as read at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = _connect(path)
        try:
            if not self._writer.execute("SELECT 1 FROM sqlite_master WHERE name = 'journal_seq'").fetchone():
                self._writer.executescript(f"BEGIN IMMEDIATE; {_JOURNAL} COMMIT;")
        except BaseException:
            self._writer.close()
            raise
        self._readers: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._closed = False

    @staticmethod
    def create(path: Path) -> None:
        """An empty database; the caller syncs it."""
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(_SCHEMA + _JOURNAL)
        finally:
            connection.close()

    def close(self) -> None:
        # A reader that is out is closed when it comes back.
        self._closed = True
        self._writer.close()
        self._close_idle()

    def upsert(self, rows: Sequence[Row]) -> None:
        """Insert or replace whole rows of distinct keys."""
        with _transaction(self._writer) as connection:
            connection.executemany("DELETE FROM vectors WHERE pk = ?", [(row.pk,) for row in rows])
            _write(connection, rows)
            _note(connection, [row.pk for row in rows])

    def merge(self, rows: Sequence[Row]) -> None:
        """Replace the fields of rows of distinct keys; of their vectors only those that come along."""
        with _transaction(self._writer) as connection:
            _write(connection, rows)
            _note(connection, [row.pk for row in rows])

    def delete(self, pks: Sequence[str]) -> list[str]:
        """Which of these distinct keys were there."""
        with _transaction(self._writer) as connection:
            parts = [connection.execute(_among("SELECT pk FROM rows", part), part) for part in _parts(pks)]
            there = [pk for part in parts for (pk,) in part]
            connection.executemany("DELETE FROM rows WHERE pk = ?", [(pk,) for pk in there])
            connection.executemany("DELETE FROM vectors WHERE pk = ?", [(pk,) for pk in there])
            # Also of those that were not: a source that is being read meanwhile may bring them.
            _note(connection, pks)
        return there

    def fetch(self, pks: Sequence[str], vector_fields: Sequence[str]) -> dict[str, Row]:
        """Rows that are there, in the order asked; all of one moment."""
        with self._reader() as connection:
            return _fetch(connection, pks, vector_fields)

    def scan(self, after: str | None, limit: int, vector_fields: Sequence[str]) -> list[Row]:
        """The next rows by the bytes of their keys; all of one moment."""
        beyond, given = ("", ()) if after is None else (" WHERE pk > ?", (after,))
        with self._reader() as connection:
            found = connection.execute(f"SELECT pk FROM rows{beyond} ORDER BY pk LIMIT ?", (*given, limit))  # noqa: S608  constants
            return list(_fetch(connection, [pk for (pk,) in found], vector_fields).values())

    def last_call(self) -> int:
        """The number of the last call that wrote; 0 before the first."""
        with self._reader() as connection:
            return _last_call(connection)

    def touched(self, since: int) -> list[str]:
        """Keys of later calls than ``since``, the oldest first."""
        with self._reader() as connection:
            return [pk for (pk,) in connection.execute("SELECT pk FROM journal WHERE seq > ? ORDER BY seq", (since,))]

    def vectors_by_source(self, field: str, hashes: Sequence[str]) -> dict[str, Vector]:
        found: dict[str, Vector] = {}
        with self._reader() as connection:
            for part in _parts(hashes):
                found |= {
                    source: _vector(vector)
                    for source, vector in connection.execute(
                        "SELECT source, vector FROM vectors"  # noqa: S608  only marks
                        f" WHERE field = ? AND source IN ({_marks(part)}) ORDER BY pk DESC",
                        [field, *part],
                    )
                }
        return found

    def count(self) -> int:
        with self._reader() as connection:
            (rows,) = connection.execute("SELECT count(*) FROM rows").fetchone()
            return int(rows)

    def counts(self) -> tuple[int, dict[str, int]]:
        """Rows, and vectors by field; all of one moment."""
        with self._reader() as connection:
            (rows,) = connection.execute("SELECT count(*) FROM rows").fetchone()
            return rows, dict(connection.execute("SELECT field, count(*) FROM vectors GROUP BY field").fetchall())

    def keys(self) -> list[str]:
        """Every row's key."""
        with self._reader() as connection:
            return [pk for (pk,) in connection.execute("SELECT pk FROM rows")]

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._readers.get_nowait()
        except queue.Empty:
            connection = _connect(self._path)
        try:
            with _transaction(connection, "BEGIN"):
                yield connection
        finally:
            self._readers.put(connection)
            if self._closed:
                self._close_idle()

    def _close_idle(self) -> None:
        while True:
            try:
                self._readers.get_nowait().close()
            except queue.Empty:
                return


def _connect(path: Path) -> sqlite3.Connection:
    # mode=rw: a database that went missing must not come back as an empty one.
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
    connection.execute(begin)
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # SQLite itself rolls back on a full disk, and then there is nothing left to roll back.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _fetch(connection: sqlite3.Connection, pks: Sequence[str], vector_fields: Sequence[str]) -> dict[str, Row]:
    fields: dict[str, dict[str, Value]] = {}
    vectors: dict[str, dict[str, Vector]] = {}
    sources: dict[str, dict[str, str]] = {}
    picked = f"SELECT pk, field, iif(field IN ({_marks(vector_fields)}), vector, NULL), source FROM vectors"  # noqa: S608  only marks
    for part in _parts(pks):
        for pk, text in connection.execute(_among("SELECT pk, fields FROM rows", part), part):
            fields[pk] = json.loads(text)
        for pk, field, vector, source in connection.execute(_among(picked, part), [*vector_fields, *part]):
            if vector is not None:
                vectors.setdefault(pk, {})[field] = _vector(vector)
            if source is not None:
                sources.setdefault(pk, {})[field] = source
    return {pk: Row(pk, fields[pk], vectors.get(pk, {}), sources.get(pk, {})) for pk in pks if pk in fields}


def _note(connection: sqlite3.Connection, pks: Iterable[str]) -> None:
    """The journal's part of a call, in the call's own transaction."""
    call = _last_call(connection) + 1
    connection.executemany("INSERT OR REPLACE INTO journal VALUES (?, ?)", [(pk, call) for pk in pks])


def _last_call(connection: sqlite3.Connection) -> int:
    (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()
    return int(last)


def _write(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    for row in rows:
        text = json.dumps(dict(row.fields), ensure_ascii=False, allow_nan=False)
        connection.execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", (row.pk, text))
        connection.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)",
            [
                (row.pk, field, vector.astype(_FLOAT).tobytes(), row.sources.get(field))
                for field, vector in row.vectors.items()
            ],
        )


def _vector(blob: bytes) -> Vector:
    return np.frombuffer(blob, _FLOAT).astype(np.float32)


def _among(select: str, pks: Sequence[str]) -> str:
    return f"{select} WHERE pk IN ({_marks(pks)})"


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        yield keys[start : start + _KEYS_PER_QUERY]
