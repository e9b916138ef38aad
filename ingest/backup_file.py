r"""The file of a table's backup: a tar of numbered members, written and read in one pass and in flat memory.

backup.json           what the file is: {"havengate": "table backup", "format": 1, "table": NAME}
rows-000001, …        JSON lines: {"pk", "fields", "vectors": {field: Base64 of little-endian float32}, "sources"},
                      or {"pk", "deleted": true}; of two lines with one key the later wins
blobs-000001, …       pictures: "KEY LENGTH\n", that many bytes, "\n"
manifest-SHA256.json  the specification without its secrets, the counts, and of every other member size and SHA-256;
                      its own SHA-256 is in its name

Nothing is ever extracted: a member's name is compared with these, and its bytes go to the engine.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from havengate.errors import SourceError
from havengate.types import Row

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1
_HEADER, _KIND = "backup.json", "table backup"
_MANIFEST = re.compile(r"manifest-([0-9a-f]{64})\.json")
_DATA = re.compile(r"(rows|blobs)-[0-9]{6,}")
_BLOB_HEAD = re.compile(rb"([0-9a-f]{64}) ([0-9]{1,15})\n")
_FLOAT = np.dtype("<f4")
_PIECE = 1 << 20
_PACK = 1 << 23
_MOST_TEXT = 1 << 28
"""Bytes of the header or the manifest: a gigabyte's worth of members takes 20 KB."""

Json = dict[str, Any]
Progress = Callable[[int, int], None]
"""Is told the rows done and their number."""


class BackupWriter:
    """Writes members to a file that is open for writing, each with its checksum."""

    def __init__(self, out: BinaryIO, table: str) -> None:
        self._tar = tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT)  # noqa: SIM115  ``finish`` closes it
        self._members: dict[str, list[object]] = {}
        self._pack = BytesIO()
        self._numbers = {"rows": 0, "blobs": 0}
        self._add(_HEADER, json.dumps({"havengate": _KIND, "format": FORMAT, "table": table}).encode())

    def rows(self, rows: Iterable[Row], deleted: Iterable[str] = ()) -> None:
        """One member of these rows, and of keys that are no rows any more."""
        lines = [*map(_line, rows), *({"pk": pk, "deleted": True} for pk in deleted)]
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
        if text:
            self._numbered("rows", text.encode())

    def blob(self, key: str, data: bytes) -> None:
        self._pack.write(f"{key} {len(data)}\n".encode() + data + b"\n")
        if self._pack.tell() >= _PACK:
            self._flush()

    def finish(self, manifest: Mapping[str, object]) -> None:
        self._flush()
        text = json.dumps({"format": FORMAT, **manifest, "members": self._members}, ensure_ascii=False).encode()
        self._add(f"manifest-{hashlib.sha256(text).hexdigest()}.json", text)
        self._tar.close()

    def _flush(self) -> None:
        if self._pack.tell():
            self._numbered("blobs", self._pack.getvalue())
            self._pack = BytesIO()

    def _numbered(self, kind: str, data: bytes) -> None:
        self._numbers[kind] += 1
        self._add(f"{kind}-{self._numbers[kind]:06}", data)

    def _add(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        self._tar.addfile(member, BytesIO(data))
        _forget(self._tar)
        self._members[name] = [len(data), hashlib.sha256(data).hexdigest()]


def read_manifest(source: BinaryIO, name: str) -> Json:
    """The manifest of a file, once every member's checksum was found right.

    ``name`` is the file's, for messages. Raises SourceError for what is no backup, damaged, cut off, or of a newer
    version.
    """
    found: dict[str, list[object]] = {}
    manifest: Json | None = None
    with _readable(name):
        for member, data in _members(source, name):
            if manifest is not None:
                raise _damaged(name, f"{member.name!r} stands behind the manifest")
            wanted = _MANIFEST.fullmatch(member.name)
            if not found:
                _require_header(member, data, name)
            elif wanted:
                manifest = _text(member, data, name, wanted[1])
                continue
            elif not _DATA.fullmatch(member.name) or member.name in found:
                raise _damaged(name, f"no backup has such a member: {member.name[:100]!r}")
            found[member.name] = [member.size, _checksum(data)]
    if manifest is None:
        raise _damaged(name, "it is cut off: the manifest at its end is missing")
    _require_members(manifest.get("members"), found, name)
    if not all(isinstance(manifest.get(count), int) for count in ("rows", "blobs")):
        raise _damaged(name, "its manifest does not say how many rows and pictures there are")
    return manifest


def read_rows(source: BinaryIO, name: str) -> Iterator[Row | str]:
    """Rows, and keys of deleted ones, in the order in which they count. Raises SourceError."""
    with _readable(name):
        for member, data in _members(source, name, "rows-"):
            for number, line in enumerate(data, 1):
                try:
                    yield _row(json.loads(line))
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                    raise _damaged(name, f"{member.name}, line {number}: {error!r}") from error


def read_blobs(source: BinaryIO, name: str) -> Iterator[tuple[str, bytes]]:
    """Keys and pictures. Raises SourceError."""
    with _readable(name):
        for member, data in _members(source, name, "blobs-"):
            while line := data.readline(100):
                head = _BLOB_HEAD.fullmatch(line)
                if head is None or int(head[2]) > member.size:
                    raise _damaged(name, f"{member.name}: {line!r} begins no picture")
                yield head[1].decode(), data.read(int(head[2]))
                data.read(1)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, UnicodeDecodeError) as error:
        raise _damaged(name, f"as a tar it breaks off: {error}") from error
    except OSError as error:
        raise SourceError(f"backup {name}: {error.strerror or error}") from error


def _members(source: BinaryIO, name: str, kind: str = "") -> Iterator[tuple[tarfile.TarInfo, Any]]:
    """Plain files only; a link, a folder or a device is refused before anybody looks at its name."""
    source.seek(0)
    try:
        tar = tarfile.open(fileobj=source, mode="r:")  # noqa: SIM115  the caller closes the source
    except tarfile.ReadError as error:
        raise SourceError(f"{name} is no backup of a table: {error}") from error
    while (member := tar.next()) is not None:
        data = tar.extractfile(member) if member.type == tarfile.REGTYPE and member.sparse is None else None
        if data is None:
            raise _damaged(name, f"member {member.name[:100]!r} is no plain file")
        if member.name.startswith(kind):
            yield member, data
        _forget(tar)


def _forget(tar: tarfile.TarFile) -> None:
    # It remembers every member that it has met, for lookups that nobody makes here.
    tar.members = []  # type: ignore[attr-defined]


def _require_header(member: tarfile.TarInfo, data: BinaryIO, name: str) -> None:
    said = _text(member, data, name, None) if member.name == _HEADER else {}
    if said.get("havengate") != _KIND:
        raise SourceError(f"{name} is no backup of a table")
    if said.get("format") != FORMAT:
        raise SourceError(
            f"backup {name} has format {said.get('format')}, this version reads {FORMAT}; use a newer version of"
            " havengate"
        )


def _text(member: tarfile.TarInfo, data: BinaryIO, name: str, checksum: str | None) -> Json:
    if member.size > _MOST_TEXT:
        raise _damaged(name, f"{member.name[:100]!r} is too large")
    text = data.read()
    try:
        if checksum in (None, hashlib.sha256(text).hexdigest()) and isinstance(content := json.loads(text), dict):
            return content
    except (ValueError, RecursionError):
        pass
    raise _damaged(name, f"{member.name!r} does not have its checksum" if checksum else f"{member.name!r} is no JSON")


def _checksum(data: BinaryIO) -> str:
    data.seek(0)
    digest = hashlib.sha256()
    while piece := data.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _require_members(listed: object, found: Mapping[str, list[object]], name: str) -> None:
    if not isinstance(listed, dict):
        raise _damaged(name, "its manifest lists no members")
    for each in sorted(listed.keys() | found.keys()):
        if each not in found:
            raise _damaged(name, f"{each} is missing")
        if listed.get(each) != found[each]:
            raise _damaged(name, f"{each} does not have its checksum")


def _line(row: Row) -> Json:
    vectors = {name: b64encode(vector.astype(_FLOAT).tobytes()).decode() for name, vector in row.vectors.items()}
    return {"pk": row.pk, "fields": dict(row.fields), "vectors": vectors, "sources": dict(row.sources)}


def _row(line: Json) -> Row | str:
    if line.get("deleted"):
        return str(line["pk"])
    vectors = {
        str(name): np.frombuffer(b64decode(text, validate=True), _FLOAT).astype(np.float32)
        for name, text in line["vectors"].items()
    }
    return Row(str(line["pk"]), dict(line["fields"]), vectors, dict(line["sources"]))


def _damaged(name: str, why: str) -> SourceError:
    return SourceError(f"backup {name} is damaged: {why}; nothing was restored from it")
