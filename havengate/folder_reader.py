"""Pictures that paths in rows point at, in local folders. Buckets of object stores are havengate.buckets'."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from havengate.endpoints import ADDRESS, FILE_SCHEME, is_folder
from havengate.errors import DocumentError, PictureError, SchemaError

_SHOWN = 200


class ObjectReader(Protocol):
    """The objects of one bucket. May be called from several threads."""

    def read(self, path: str, max_bytes: int) -> bytes:
        """All bytes of one object.

        Raises DocumentError naming the path if it is none or cannot be read, PictureError if it has more
        than ``max_bytes``; SourceError or SourceAway where not the object is to blame but what it is kept in.
        """


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
