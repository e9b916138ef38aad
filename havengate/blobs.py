"""Pushed pictures by their content: what every store of them does, and the one in local folders."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from havengate.errors import EngineError, Moved
from havengate.images import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

_KEY = re.compile(r"[0-9a-f]{64}")
_SHOWN = 200
_WRITERS = 8
ItemT = TypeVar("ItemT")


class Since:
    """How long ago it was made. A process may have stood still since, and a clock may have been set."""

    def __init__(self) -> None:
        self._begin = time.time(), time.monotonic()

    def seconds(self) -> float:
        """The most that any clock says: that of a machine that slept has not noticed, the wall's may be set back."""
        return max(time.time() - self._begin[0], time.monotonic() - self._begin[1])


class BlobStore(Protocol):
    """Bytes by content hash, a name space per table. May be called from several threads."""

    def put(self, table: str, data: bytes) -> str:
        """Stores the bytes durably and returns their key; what is there already is not written again."""

    def put_many(self, table: str, items: Sequence[bytes]) -> list[str]:
        """As ``put``, in one go: keys in the order of ``items``."""

    def get(self, table: str, key: str) -> bytes:
        """Raises EngineError if there is none."""

    def delete(self, table: str, keys: Iterable[str], since: Since) -> None:
        """Deletes what no row named at a moment after ``since`` began; keys that are not there are passed over."""

    def keys(self, table: str, prefix: str) -> list[str]:
        """The keys of a table that begin with these two hex digits, so that nobody needs to hold all of them."""

    def writing(self, table: str) -> AbstractContextManager[Since]:
        """Holds off everybody else who writes rows of the table that name blobs, in this process or another.

        Between finding that no row names a blob and deleting it, none may begin to. Gives since when.
        """

    def clearing(self, table: str) -> AbstractContextManager[None]:
        """Around the making or dropping of a table: deletes behind it the bytes that there were before.

        Those that others put for a table of that name meanwhile stay. Where the context raises, all stay.
        """

    def drop_table(self, table: str) -> None:
        """Deletes all of a table's bytes, if it has any."""

    def close(self) -> None:
        """What was opened is given back."""


class FolderBlobStore:
    """Blobs as files ``root/<table>/<2 hex>/<sha256>``; beside it the locks of their writers, ``root.locks/<table>``.

    A file appears under its name only when all its bytes are on disk, so a crash leaves at most a stray
    ``.new-`` file, which goes with its table.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, table: str, data: bytes) -> str:
        return self.put_many(table, [data])[0]

    def put_many(self, table: str, items: Sequence[bytes]) -> list[str]:
        keys = [content_hash(data) for data in items]
        files = {self._file(table, key): data for key, data in zip(keys, items, strict=True)}
        try:
            each(_write_new, files.items())
            # Also for files that were there: another thread may not have come this far with them.
            each(sync_folder, {file.parent for file in files})
        except OSError as error:
            raise EngineError(f"the blob store cannot write for table {table!r}: {error}") from error
        return keys

    def get(self, table: str, key: str) -> bytes:
        try:
            return self._file(table, key).read_bytes()
        except FileNotFoundError as error:
            raise Moved(
                f"the blob store has no {key} for table {table!r}; gateways of one cluster need one"
                " HAVENGATE_BLOBS__URL or HAVENGATE_DATA_DIR"
            ) from error
        except OSError as error:
            raise EngineError(f"the blob store cannot read {key} of table {table!r}: {error}") from error

    def delete(self, table: str, keys: Iterable[str], since: Since) -> None:  # noqa: ARG002  whoever deletes holds the lock
        try:
            for file in [self._file(table, key) for key in keys]:
                file.unlink(missing_ok=True)
        except OSError as error:
            raise EngineError(f"the blob store cannot remove blobs of table {table!r}: {error}") from error

    def keys(self, table: str, prefix: str) -> list[str]:
        folder = self._folder(table) / prefix
        try:
            return sorted(file.name for file in folder.iterdir() if _KEY.fullmatch(file.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise EngineError(f"the blob store cannot list blobs of table {table!r}: {error}") from error

    @contextmanager
    def writing(self, table: str) -> Iterator[Since]:
        # Not in the table's folder, which a drop moves away. The kernel opens the lock of a process that dies.
        locks = self._root.with_name(f"{self._root.name}.locks")
        try:
            _make_folder(locks)
            lock = os.open(locks / self._folder(table).name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise EngineError(f"the blob store cannot lock table {table!r}: {error}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Since()
        finally:
            os.close(lock)

    @contextmanager
    def clearing(self, table: str) -> Iterator[None]:
        # Who writes rows of a new table waits, so that what is deleted is the former one's.
        with self.writing(table):
            yield
            self.drop_table(table)

    def drop_table(self, table: str) -> None:
        folder = self._folder(table)
        try:
            for doomed in (*self._root.glob(".dropped-*"), *self._set_aside(folder)):
                shutil.rmtree(doomed, ignore_errors=True)
        except OSError as error:
            raise EngineError(f"the blob store cannot drop table {table!r}: {error}") from error

    def close(self) -> None:
        pass

    def _set_aside(self, folder: Path) -> Iterator[Path]:
        # The name is free at once, and a crash while deleting leaves no half of a table.
        if folder.exists():
            grave = tempfile.mkdtemp(prefix=".dropped-", dir=self._root)
            folder.rename(Path(grave) / "table")
            sync_folder(self._root)
            yield Path(grave)

    def _folder(self, table: str) -> Path:
        return self._root / require_table(table)

    def _file(self, table: str, key: str) -> Path:
        return self._folder(table) / require_key(key)[:2] / key


def require_table(table: str) -> str:
    """The name, if a blob store can keep a table under it. Raises EngineError."""
    if not table or table.startswith(".") or "/" in table or "\0" in table:
        raise EngineError(f"the blob store takes no table name {table[:_SHOWN]!r}")
    return table


def require_key(key: str) -> str:
    """The key, if it is one. Raises EngineError."""
    if not _KEY.fullmatch(key):
        raise EngineError(f"the blob store takes no key {key[:_SHOWN]!r}: 64 lower-case hex digits are wanted")
    return key


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def each(do: Callable[[ItemT], None], items: Collection[ItemT]) -> None:
    """At once, because a disk syncs several files in little more time than one, and a store answers so."""
    if len(items) < 2:  # noqa: PLR2004
        for item in items:
            do(item)
        return
    with ThreadPoolExecutor(min(_WRITERS, len(items))) as pool:
        for done in [pool.submit(do, item) for item in items]:
            done.result()


def _write_new(item: tuple[Path, bytes]) -> None:
    file, data = item
    _make_folder(file.parent)
    if not file.exists():
        _write(file, data)


def _write(file: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(name).rename(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """What was renamed or made in it is on disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
