"""Tables as folders: ``tables/<name>/<generation>/`` holds rows.sqlite and table.json.

The file ``current`` beside the generations names the one in use and, on lines of their own, those that are kept; the
file ``building`` names the one that has never been in use. A folder that neither names is no generation. Tables and
generations are made in folders that no name can mean and appear by one rename; they go the same way back.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from engines.checks import is_table_name, require_table_name
from engines.codec import decode_spec, encode_spec
from engines.embedded.store import RowStore
from havengate.errors import Busy, EngineError, UnknownGeneration

if TYPE_CHECKING:
    from pathlib import Path

    from engines.contract import TableSpec

ROWS_FILE = "rows.sqlite"
_FIRST = "g1"
_NEW, _DROPPED = ".new-", ".dropped-"
_NUMBERED = re.compile(r"g[0-9]+", re.ASCII)


class Catalog:
    """The folder ``tables`` of a data folder. The caller serialises calls that change it, or one table of it."""

    def __init__(self, data_dir: Path, *, read_only: bool = False) -> None:
        """``read_only``: for names and specifications, while another process may hold the folder."""
        self._root = data_dir / "tables"
        if read_only:
            return
        self._root.mkdir(parents=True, exist_ok=True)
        for entry in self._root.iterdir():
            # Only what an interrupted call left: a file manager leaves files of its own here.
            if entry.name.startswith((_NEW, _DROPPED)) and entry.is_dir():
                shutil.rmtree(entry)

    def names(self) -> list[str]:
        entries = self._root.iterdir() if self._root.is_dir() else ()
        return sorted(entry.name for entry in entries if entry.name in self)

    def __contains__(self, name: str) -> bool:
        return is_table_name(name) and (self._root / name / "current").is_file()

    def create(self, spec: TableSpec) -> None:
        """Raises SchemaError for a name that is no plain identifier."""
        require_table_name(spec.name)
        built = self._root / f"{_NEW}{uuid.uuid4().hex}"
        _make_generation(built / _FIRST, spec)
        _write_durably(built / "current", _FIRST)
        _sync(built)
        built.rename(self._root / spec.name)
        _sync(self._root)

    def drop(self, name: str) -> None:
        dropped = self._root / f"{_DROPPED}{uuid.uuid4().hex}"
        (self._root / name).rename(dropped)
        _sync(self._root)
        shutil.rmtree(dropped)

    def generations(self, name: str) -> tuple[str, ...]:
        """The current one, then the others."""
        building = self.building(name)
        return (*self._listed(name), *([building] if building else []))

    def building(self, name: str) -> str | None:
        """The one that was never in use."""
        pointer = self._root / name / "building"
        if not pointer.is_file():
            return None
        generation = pointer.read_text().strip()
        if not _NUMBERED.fullmatch(generation):
            raise EngineError(f"{pointer} names no generation: {generation!r}; remove that file")
        # A kill may have come between its first use and the end of this file.
        return None if generation in self._listed(name) else generation

    def _listed(self, name: str) -> tuple[str, ...]:
        pointer = self._root / name / "current"
        listed = tuple(pointer.read_text().split())
        if not listed or not all(map(_NUMBERED.fullmatch, listed)):
            raise EngineError(f"{pointer} names no generation: {listed}; restore it from a backup")
        return listed

    def folder(self, name: str, generation: str | None = None) -> Path:
        """Of the current generation, or of another. Raises UnknownGeneration."""
        listed = self.generations(name)
        if generation is not None and generation not in listed:
            known = ", ".join(sorted(listed, key=age))
            raise UnknownGeneration(f"table {name!r} has no generation {generation!r}; there are: {known}")
        return self._root / name / (generation or listed[0])

    def build(self, name: str, spec: TableSpec) -> str:
        """A new, empty generation; its name. Raises Busy where one is being built already."""
        building = self.building(name)
        if building is not None:
            raise Busy(f"generation {building} of table {name!r} is being built already; use it or drop it first")
        self.clear(name)
        generation = f"g{max(map(age, self._listed(name))) + 1}"
        built = self._root / name / f"{_NEW}{uuid.uuid4().hex}"
        _make_generation(built, replace(spec, name=name))
        built.rename(self._root / name / generation)
        _replace(self._root / name / "building", generation)
        return generation

    def use(self, name: str, generation: str) -> None:
        """Makes another generation the current one."""
        self._list(name, generation, *(kept for kept in self._listed(name) if kept != generation))
        self._forget_building(name, generation)

    def drop_generation(self, name: str, generation: str) -> None:
        """Of one that is not current."""
        self._forget_building(name, generation)
        self._list(name, *(kept for kept in self._listed(name) if kept != generation))
        dropped = self._root / name / f"{_DROPPED}{uuid.uuid4().hex}"
        (self._root / name / generation).rename(dropped)
        shutil.rmtree(dropped)

    def _forget_building(self, name: str, generation: str) -> None:
        pointer = self._root / name / "building"
        if pointer.is_file() and pointer.read_text().strip() == generation:
            pointer.unlink()
            _sync(pointer.parent)

    def clear(self, name: str) -> None:
        """Removes what a change left that came to no end; folders that were restored by hand stay."""
        newest = max(map(age, self.generations(name)))
        for entry in (self._root / name).iterdir():
            unlisted = _NUMBERED.fullmatch(entry.name) and age(entry.name) > newest
            if entry.is_dir() and (unlisted or entry.name.startswith((_NEW, _DROPPED))):
                shutil.rmtree(entry)

    def read_spec(self, name: str, generation: str | None = None) -> TableSpec:
        path = self.folder(name, generation) / "table.json"
        spec = decode_spec(path.read_text(encoding="utf-8"), str(path))
        return replace(spec, name=name, generation=path.parent.name)

    def write_spec(self, spec: TableSpec) -> None:
        _replace(self.folder(spec.name, spec.generation) / "table.json", encode_spec(spec))

    def _list(self, name: str, *generations: str) -> None:
        _replace(self._root / name / "current", "\n".join(generations))


def age(generation: str) -> int:
    """Later ones have larger numbers."""
    return int(generation.removeprefix("g"))


def _make_generation(folder: Path, spec: TableSpec) -> None:
    folder.mkdir(parents=True)
    RowStore.create(folder / ROWS_FILE)
    _write_durably(folder / "table.json", encode_spec(spec))
    _sync(folder / ROWS_FILE)
    _sync(folder)


def _write_durably(path: Path, text: str) -> None:
    # A schema may hold keys of accounts.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    _write_durably(fresh, text)
    fresh.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
