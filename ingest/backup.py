"""A table's backup, taken while it is searched and written: rows with their vectors, pictures, specification."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from engines.codec import encode_spec
from engines.contract import Engine, TableSpec, at, table_of
from havengate.blobs import sync_folder
from havengate.errors import Busy, EngineError, Moved, RequestError, UnknownGeneration, UnknownTable
from ingest.backup_file import BackupWriter, Progress
from schemas.vendor import masked

if TYPE_CHECKING:
    from havengate.blobs import BlobStore
    from havengate.types import Row

_ROWS_PER_MEMBER = 1000
_FEW_KEYS = 200
"""So many are brought while writes are held."""
_ROUNDS = 20
_TRIES = 3
_PATIENCE_S = (0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup came to; ``lost_pictures`` were named by rows, and the blob store had none."""

    rows: int
    blobs: int
    bytes: int
    lost_pictures: int


def backup(engine: Engine, blobs: BlobStore, table: str, file: Path, progress: Progress = lambda *_: None) -> BackedUp:
    """Writes ``file``, of one moment: writes are held while the last changes are brought, searches never.

    The file appears under its name when it is whole and synced; the schema's secrets are not in it. Raises
    UnknownTable, RequestError where the file is there already or somebody else writes it, EngineError (Busy and Moved
    among them: trying again helps).
    """
    if table_of(table) != table:
        raise UnknownTable(f"no table {table!r}")
    if file.exists():
        raise RequestError(f"{file} is there already; name another file")
    with _new_file(file) as out:
        for _ in range(_TRIES - 1):
            # A rebuild may come to its end meanwhile.
            with suppress(Moved, UnknownGeneration):
                return _backup(engine, blobs, table, out, progress)
        return _backup(engine, blobs, table, out, progress)


def _backup(engine: Engine, blobs: BlobStore, table: str, out: BinaryIO, progress: Progress) -> BackedUp:
    out.seek(0)
    out.truncate()
    with closing(_Seen()) as seen:
        copy = _Copy(engine, blobs, engine.table(table), BackupWriter(out, table), seen)
        final = copy.held(copy.scanned(progress))
        counts = {"rows": seen.count("rows"), "blobs": seen.count("blobs"), "lost_pictures": len(copy.without)}
        copy.out.finish({"table": table, "spec": json.loads(encode_spec(without_secrets(final))), **counts})
        progress(counts["rows"], counts["rows"])
        return BackedUp(**counts, bytes=out.tell())


class _Copy:
    """One generation on its way into a file."""

    def __init__(self, engine: Engine, blobs: BlobStore, spec: TableSpec, out: BackupWriter, seen: _Seen) -> None:
        self._engine, self._blobs, self._spec, self._seen = engine, blobs, spec, seen
        self._address = at(spec.table, spec.generation)
        self.out = out
        self.without: list[str] = []
        """Keys of rows whose picture was gone when it was read."""

    def scanned(self, progress: Progress) -> str:
        """All rows, as they come; returns the mark since which they may have changed."""
        mark = self._engine.mark(self._address)
        total, done, after = self._engine.stats(self._address).rows, 0, None
        while rows := self._engine.scan(self._address, after, _ROWS_PER_MEMBER):
            self._write(rows, ())
            after, done = rows[-1].pk, done + len(rows)
            progress(min(done, total), total)
        return mark

    def caught_up(self, mark: str) -> str:
        """Changes meanwhile, round by round, until few are left or there are not fewer any more."""
        before = None
        for _ in range(_ROUNDS):
            following = self._engine.mark(self._address)
            touched = self._touched(mark)
            if len(touched) <= _FEW_KEYS or (before is not None and len(touched) >= before):
                break
            self._bring(touched)
            mark, before = following, len(touched)
        return mark

    def held(self, mark: str) -> TableSpec:
        """The rest, while writes are held; returns the specification of that moment."""
        final: list[TableSpec] = []
        for patience in (*_PATIENCE_S, None):
            mark = self.caught_up(mark)
            try:
                self._engine.hold(self._spec.table, partial(self._finish, mark, final))
                break
            except Busy:
                # Somebody else holds the table, and not for long: all that was read would be for nothing.
                if patience is None:
                    raise
                time.sleep(patience)
        return final[0]

    def _finish(self, mark: str, final: list[TableSpec]) -> None:
        spec = self._engine.table(self._spec.table)
        if spec.generation != self._spec.generation:
            raise Moved(f"table {spec.table!r} was rebuilt while it was backed up; try again")
        self._bring(self._touched(mark))
        there, brought = self._engine.stats(self._address).rows, self._seen.count("rows")
        if there != brought:
            raise EngineError(f"table {spec.table!r} has {there} rows, and {brought} came into its backup; try again")
        final.append(spec)

    def _touched(self, mark: str) -> list[str]:
        return list(dict.fromkeys([*self._engine.touched(self._address, mark), *self.without]))

    def _bring(self, pks: Sequence[str]) -> None:
        self.without = []
        for start in range(0, len(pks), _ROWS_PER_MEMBER):
            part = pks[start : start + _ROWS_PER_MEMBER]
            rows = self._engine.fetch(self._address, part, list(self._spec.schema.vector_fields))
            self._write(list(rows.values()), [pk for pk in part if pk not in rows])

    def _write(self, rows: Sequence[Row], deleted: Sequence[str]) -> None:
        for row in rows:
            for name in self._spec.schema.base64_fields:
                if key := row.fields.get(name):
                    self._picture(row.pk, str(key))
        self.out.rows(rows, deleted)
        self._seen.add("rows", (row.pk for row in rows))
        self._seen.remove("rows", deleted)

    def _picture(self, pk: str, key: str) -> None:
        if self._seen.has("blobs", key):
            return
        try:
            data = self._blobs.get(self._spec.table, key)
        except Moved:
            # Replaced since the row was read: then it comes again; or lost before.
            self.without.append(pk)
            return
        self.out.blob(key, data)
        self._seen.add("blobs", [key])


class _Seen:
    """Keys of what is in the file by now; on disk, so that memory stays flat."""

    def __init__(self) -> None:
        # A name that is empty: a database that goes with its connection.
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for kind in ("rows", "blobs"):
            self._connection.execute(f"CREATE TABLE {kind} (key TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, kind: str, keys: Iterable[str]) -> None:
        self._all(f"INSERT OR IGNORE INTO {kind} VALUES (?)", keys)  # noqa: S608  a table of our own

    def remove(self, kind: str, keys: Iterable[str]) -> None:
        self._all(f"DELETE FROM {kind} WHERE key = ?", keys)  # noqa: S608  as above

    def has(self, kind: str, key: str) -> bool:
        return self._connection.execute(f"SELECT 1 FROM {kind} WHERE key = ?", (key,)).fetchone() is not None  # noqa: S608  as above

    def count(self, kind: str) -> int:
        (count,) = self._connection.execute(f"SELECT count(*) FROM {kind}").fetchone()  # noqa: S608  as above
        return int(count)

    def close(self) -> None:
        self._connection.close()

    def _all(self, statement: str, keys: Iterable[str]) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany(statement, ((key,) for key in keys))
        self._connection.execute("COMMIT")


def without_secrets(spec: TableSpec) -> TableSpec:
    """The specification as it may be kept anywhere: the vendor's JSON masked, no keys of accounts."""
    indexes = {
        name: index if index.source is None else replace(index, source=replace(index.source, keys=None))
        for name, index in spec.schema.vector_indexes.items()
    }
    vendor = masked(dict(spec.vendor_schema))
    return replace(
        spec,
        schema=replace(spec.schema, vector_indexes=indexes),
        vendor_schema=vendor if isinstance(vendor, dict) else {},
    )


@contextmanager
def _new_file(file: Path) -> Iterator[BinaryIO]:
    """Takes the name when all its bytes are on disk; a kill leaves ``.NAME.part``, which the next one writes over."""
    part = file.with_name(f".{file.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "r+b") as out:
            _lock(out, part, file)
            try:
                yield out
                out.flush()
                os.fsync(out.fileno())
                part.rename(file)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        sync_folder(file.parent)
    except OSError as error:
        raise EngineError(f"backup {file} cannot be written: {error.strerror or error}") from error


def _lock(out: BinaryIO, part: Path, file: Path) -> None:
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it may have given the file its name since it was opened.
        if os.fstat(out.fileno()).st_ino == part.stat().st_ino:
            return
    raise RequestError(f"{file} is being written by somebody else")
