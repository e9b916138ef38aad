"""Tables as folders: ``tables/<name>/<generation>/`` holds rows.sqlite and table.json.

The file ``current`` beside the generations names the one in use. A table is made in a folder that no
table's name can mean and appears by one rename; it goes the same way back.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from typing import TYPE_CHECKING

from engines.checks import is_table_name, require_table_name
from engines.codec import decode_spec, encode_spec
from engines.embedded.store import RowStore
from havengate.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path

    from engines.contract import TableSpec

_FIRST = "g1"
_NEW, _DROPPED = ".new-", ".dropped-"


class Catalog:
    """The folder ``tables`` of a data folder. Calls that change it are serialised by the caller."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "tables"
        self._root.mkdir(parents=True, exist_ok=True)
        for entry in self._root.iterdir():
            # Only what an interrupted call left: a file manager leaves files of its own here.
            if entry.name.startswith((_NEW, _DROPPED)) and entry.is_dir():
                shutil.rmtree(entry)

    def names(self) -> list[str]:
        return sorted(entry.name for entry in self._root.iterdir() if entry.name in self)

    def __contains__(self, name: str) -> bool:
        return is_table_name(name) and (self._root / name / "current").is_file()

    def create(self, spec: TableSpec) -> None:
        """Raises SchemaError for a name that is no plain identifier."""
        require_table_name(spec.name)
        built = self._root / f"{_NEW}{uuid.uuid4().hex}"
        generation = built / _FIRST
        generation.mkdir(parents=True)
        RowStore.create(generation / "rows.sqlite")
        _write_durably(generation / "table.json", encode_spec(spec))
        _write_durably(built / "current", _FIRST)
        for path in (generation / "rows.sqlite", generation, built):
            _sync(path)
        built.rename(self._root / spec.name)
        _sync(self._root)

    def drop(self, name: str) -> None:
        dropped = self._root / f"{_DROPPED}{uuid.uuid4().hex}"
        (self._root / name).rename(dropped)
        _sync(self._root)
        shutil.rmtree(dropped)

    def folder(self, name: str) -> Path:
        """The current generation of a table that exists."""
        pointer = self._root / name / "current"
        generation = pointer.read_text().strip()
        if not re.fullmatch(r"g[0-9]+", generation):
            raise EngineError(f"{pointer} names no generation: {generation!r}; restore it from a backup")
        return self._root / name / generation

    def read_spec(self, name: str) -> TableSpec:
        path = self.folder(name) / "table.json"
        return decode_spec(path.read_text(encoding="utf-8"), str(path))

    def write_spec(self, spec: TableSpec) -> None:
        path = self.folder(spec.name) / "table.json"
        fresh = path.with_suffix(".new")
        _write_durably(fresh, encode_spec(spec))
        fresh.replace(path)
        _sync(path.parent)


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
