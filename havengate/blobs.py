"""Bytes by name in local folders: the pictures that paths in rows point at, and those that were pushed themselves.

Buckets of object stores are havengate.buckets'.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import unquote

from havengate.endpoints import ADDRESS, FILE_SCHEME, is_folder
from havengate.errors import DocumentError, EngineError, Moved, PictureError, SchemaError
from havengate.images import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

_KEY = re.compile(r"[0-9a-f]{64}")
_SHOWN = 200
_WRITERS = 8
ItemT = TypeVar("ItemT")


class ObjectReader(Protocol):
    """The objects of one bucket. May be called from several threads."""

    def read(self, path: str, max_bytes: int) -> bytes:
        """All bytes of one object.

        Raises DocumentError naming the path if it is none or cannot be read, PictureError if it has more
        than ``max_bytes``; SourceError or SourceAway where not the object is to blame but what it is kept in.
        """


class BlobStore(Protocol):
    """Bytes by content hash, a name space per table. May be called from several threads."""

    @property
    def keeps_young(self) -> bool:
        """Whether ``delete`` leaves what was put a moment ago, so that somebody has to sweep later."""

    def put(self, table: str, data: bytes) -> str:
        """Stores the bytes durably and returns their key; what is there already is not written again."""

    def put_many(self, table: str, items: Sequence[bytes]) -> list[str]:
        """As ``put``, in one go: keys in the order of ``items``."""

    def get(self, table: str, key: str) -> bytes:
        """Raises EngineError if there is none."""

    def delete(self, table: str, keys: Iterable[str]) -> None:
        """Keys that are not there are passed over."""

    def keys(self, table: str, prefix: str) -> list[str]:
        """The keys of a table that begin with these two hex digits, so that nobody needs to hold all of them."""

    def writing(self, table: str) -> AbstractContextManager[None]:
        """Holds off everybody else who writes rows of the table that name blobs, in this process or another.

        Between finding that no row names a blob and deleting it, none may begin to.
        """

    def clearing(self, table: str) -> AbstractContextManager[None]:
        """Around the making or dropping of a table: deletes behind it the bytes that there were before.

        Those that others put for a table of that name meanwhile stay. Where the context raises, all stay.
        """

    def drop_table(self, table: str) -> None:
        """Deletes all of a table's bytes, if it has any."""

    def close(self) -> None:
        """What was opened is given back."""


def open_reader(endpoint: str, bucket: str) -> ObjectReader:
    """The reader for a picture field's folder and bucket. Raises SchemaError as ``bucket_folder``."""
    return FolderReader(bucket_folder(endpoint, bucket))


def bucket_folder(endpoint: str, bucket: str) -> Path:
    """The folder that a picture field's endpoint and bucket mean; it need not exist.

    ``file://DIR`` is a local folder, ``bucket`` a folder in it; without a bucket DIR is the bucket. DIR may be
    percent-encoded, unless a folder of that very name is there. Raises SchemaError for any other endpoint.
    """
    if not is_folder(endpoint):
        raise SchemaError(f"oss_endpoint {endpoint[:_SHOWN]!r} is no folder (file://DIR)")
    folder = endpoint[len(FILE_SCHEME) :]
    if not folder:
        raise SchemaError("oss_endpoint 'file://' names no folder")
    if "%" in folder and not Path(folder).is_dir():
        folder = unquote(folder)
    if "\0" in folder:
        raise SchemaError(f"oss_endpoint {endpoint[:_SHOWN]!r}: a path with a NUL character")
    name = bucket.strip("/")
    try:
        parts = _segments(name) if name else []
    except ValueError as error:
        raise SchemaError(f"oss_bucket {bucket[:_SHOWN]!r}: {error}") from error
    return Path(folder).joinpath(*parts)


class FolderReader:
    """A folder as a bucket: ``/a/b.jpg`` and ``a/b.jpg`` both name its file a/b.jpg."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str, max_bytes: int) -> bytes:
        try:
            with os.fdopen(self._open(path), "rb") as file:
                data = file.read(max_bytes + 1)
                size = max(len(data), os.fstat(file.fileno()).st_size)
        except (OSError, ValueError, RuntimeError) as error:
            raise DocumentError(f"picture {path[:_SHOWN]!r}: {self._reason(error)}") from error
        if size > max_bytes:
            raise PictureError(f"picture {path[:_SHOWN]!r} has {size} bytes, more than the limit of {max_bytes}")
        return data

    def _open(self, path: str) -> int:
        if ADDRESS.match(path):
            raise ValueError("a path in the table's folder is wanted; addresses in rows are not fetched")
        root = self._folder.resolve(strict=True)
        file = root.joinpath(*_segments(path.removeprefix("/"))).resolve(strict=True)
        if not file.is_relative_to(root):
            raise ValueError("a link that leads out of the picture folder")
        # Opening a pipe would wait for its writer.
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            os.close(descriptor)
            raise ValueError("a folder, not a file" if stat.S_ISDIR(mode) else "not a regular file")
        return descriptor

    def _reason(self, error: Exception) -> str:
        if isinstance(error, RuntimeError):  # what pathlib makes of ELOOP before Python 3.13
            return "a link that leads to itself"
        if not isinstance(error, OSError):
            return str(error)
        if not self._folder.is_dir():
            return f"the picture folder {str(self._folder)!r} does not exist"
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return "no such file in the picture folder"
        return f"cannot be read ({error.strerror})"


def _segments(path: str) -> list[str]:
    """Names from the folder down. Raises ValueError for anything but plain names."""
    parts = path.split("/")
    if "\0" in path:
        raise ValueError("a path with a NUL character")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("a path of plain names is wanted, without '', '.' or '..' between slashes")
    return parts


class FolderBlobStore:
    """Blobs as files ``root/<table>/<2 hex>/<sha256>``; beside it the locks of their writers, ``root.locks/<table>``.

    A file appears under its name only when all its bytes are on disk, so a crash leaves at most a stray
    ``.new-`` file, which goes with its table.
    """

    keeps_young = False

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

    def delete(self, table: str, keys: Iterable[str]) -> None:
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
    def writing(self, table: str) -> Iterator[None]:
        # Not in the table's folder, which a drop moves away. The kernel opens the lock of a process that dies.
        locks = self._root.with_name(f"{self._root.name}.locks")
        try:
            _make_folder(locks)
            lock = os.open(locks / self._folder(table).name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise EngineError(f"the blob store cannot lock table {table!r}: {error}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
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
