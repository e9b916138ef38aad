"""lock.json: which files a model is made of. What it records is what is held to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from havengate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1


@dataclass(frozen=True, slots=True)
class FileRecord:
    """``sha256`` of the content in hexadecimal, ``size`` in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class LockedPart:
    """One folder's files by their path in it. ``commit`` is empty where a folder was copied instead of pulled."""

    repository: str
    revision: str
    commit: str
    files: Mapping[str, FileRecord]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(record.size for record in self.files.values())

    @property
    def content(self) -> str:
        """Half a hash over those of weights and networks' configurations: what tells two contents apart."""
        networks = sorted((name, record.sha256) for name, record in self.files.items() if _shapes_vectors(name))
        return hashlib.sha256(json.dumps(networks).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Lock:
    """``entry`` is the catalogue's entry as it was, ``when`` the time in ISO 8601, UTC."""

    entry: Mapping[str, object]
    when: str
    parts: Mapping[str, LockedPart]


def _shapes_vectors(name: str) -> bool:
    return name.endswith(".safetensors") or name.rpartition("/")[2] == "config.json"


def lock_json(lock: Lock) -> str:
    """The file's text."""
    shown = {"version": VERSION, "entry": lock.entry, "when": lock.when}
    shown["parts"] = {name: asdict(part) for name, part in lock.parts.items()}
    return json.dumps(shown, ensure_ascii=False, indent=2) + "\n"


def read_lock(file: Path) -> Lock | None:
    """None where there is no file. Raises ModelError for one that is none of this version's."""
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from error
    try:
        if content["version"] != VERSION:
            raise ModelError(f"{file} is of version {content['version']}, not {VERSION}")
        parts = {name: _part(part) for name, part in content["parts"].items()}
        return Lock(content["entry"], content["when"], parts)
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{file} is no lock file of this version: {error!r}") from error


def _part(content: dict[str, str | dict[str, dict[str, object]]]) -> LockedPart:
    fields = {key: content[key] for key in ("repository", "revision", "commit")}
    files = {name: FileRecord(record["sha256"], record["size"]) for name, record in content["files"].items()}  # type: ignore[union-attr, arg-type]
    return LockedPart(**fields, files=files)  # type: ignore[arg-type]
