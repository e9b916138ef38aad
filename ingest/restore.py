"""A table made from its backup: all of it or nothing.

The rows go into a second generation while a first one, empty and with nothing but the key, stands for the table: who
searches it meanwhile is told that there is no such index, and who writes that it is being changed. The first one is
marked, so that the next restore knows what a kill has left.
"""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, BinaryIO

from engines.checks import require_table_name
from engines.codec import decode_spec
from engines.contract import Engine, TableSpec, at
from havengate.chunks import chunks
from havengate.errors import HavengateError, SourceError, TableExists
from havengate.image_tokens import first_series
from havengate.types import Row
from ingest.backup_file import Progress, read_blobs, read_manifest, read_rows
from schemas.settings import TableSettings
from schemas.table import TableSchema
from schemas.vendor import MASK, is_secret

if TYPE_CHECKING:
    from pathlib import Path

    from havengate.blobs import BlobStore

_MARK = "havengate_restoring"
_ROWS_PER_CALL = 1000
_BLOBS_PER_CALL = 16


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore came to; ``secrets`` are the places in the schema whose secrets have to be set again."""

    table: str
    rows: int
    blobs: int
    secrets: tuple[str, ...]


def restore(
    engine: Engine, blobs: BlobStore, file: Path, name: str | None = None, progress: Progress = lambda *_: None
) -> Restored:
    """Makes the table of a backup, under another name if one is given; fingerprints stay as they were.

    Every checksum is verified before anything is made. Raises SourceError for a file that is no backup, or damaged,
    SchemaError for a name that no table can have, TableExists, Busy where somebody restores that table now,
    EngineError; then there is no table, or one that the next restore clears.
    """
    if file.exists() and not file.is_file():
        raise SourceError(f"backup {file}: not a file")
    try:
        source = file.open("rb")
    except OSError as error:
        raise SourceError(f"backup {file}: {error.strerror or error}") from error
    with source:
        manifest = read_manifest(source, file.name)
        spec, secrets = _spec(manifest, name, file.name)
        require_table_name(spec.name)
        _require_free(engine, spec.name)
        placeholder = _placeholder(spec)
        # What a dropped table may have left goes; looked at before the table is there, it can be no other restore's.
        with blobs.clearing(spec.name):
            engine.create_table(placeholder)
        try:
            _Filling(engine, blobs, spec, source, file.name, manifest, progress).run()
        except BaseException:
            with suppress(HavengateError):
                _clear(engine, blobs, placeholder)
            raise
    return Restored(spec.name, int(manifest["rows"]), int(manifest["blobs"]), secrets)


@dataclass(frozen=True, slots=True)
class _Filling:
    """A verified file on its way into the table that stands for it."""

    engine: Engine
    blobs: BlobStore
    spec: TableSpec
    source: BinaryIO
    file: str
    manifest: dict[str, Any]
    progress: Progress

    def run(self) -> None:
        name = self.spec.name
        first, built = self.engine.table(name).generation, self.engine.build_generation(name, self.spec)
        self.engine.use_generation(name, built, lambda: self._last(at(name, built)))
        self.engine.drop_generation(name, first)

    def _last(self, address: str) -> None:
        """While nobody else may write the table."""
        pictures = self._pictures()
        self._rows(address)
        rows = self.engine.stats(address).rows
        if (rows, pictures) != (self.manifest["rows"], self.manifest["blobs"]):
            raise SourceError(
                f"backup {self.file} is damaged: {rows} rows and {pictures} pictures came of it, its manifest says"
                f" {self.manifest['rows']} and {self.manifest['blobs']}; nothing was restored from it"
            )

    def _rows(self, address: str) -> None:
        done, total = 0, int(self.manifest["rows"])
        for are_rows, run in groupby(read_rows(self.source, self.file), key=lambda row: isinstance(row, Row)):
            for part in chunks(run, _ROWS_PER_CALL):
                if are_rows:
                    self.engine.upsert(address, [row for row in part if isinstance(row, Row)])
                else:
                    self.engine.delete(address, [pk for pk in part if isinstance(pk, str)])
                done += len(part)
                self.progress(min(done, total), total)

    def _pictures(self) -> int:
        """How many there are."""
        count = 0
        for part in chunks(read_blobs(self.source, self.file), _BLOBS_PER_CALL):
            if self.blobs.put_many(self.spec.name, [data for _, data in part]) != [key for key, _ in part]:
                raise SourceError(f"backup {self.file} is damaged: a picture is not the one that rows name")
            count += len(part)
        return count


def _spec(manifest: dict[str, Any], name: str | None, file: str) -> tuple[TableSpec, tuple[str, ...]]:
    spec = decode_spec(json.dumps(manifest.get("spec")), f"the specification in backup {file}")
    missing: list[str] = []
    vendor = _unmasked(dict(spec.vendor_schema), "", missing)
    # Tokens may have been revoked since the backup was made.
    settings = spec.settings.model_copy(update={"image_tokens": first_series()})
    return replace(spec, name=name or spec.table, vendor_schema=vendor, settings=settings), tuple(missing)


def _unmasked(value: Any, where: str, missing: list[str]) -> Any:
    """Without what was masked: a mask is no secret, and where none is given those of the settings count."""
    if isinstance(value, dict):
        gone = [key for key, item in value.items() if is_secret(key) and item == MASK]
        missing += [f"{where}{key}" for key in gone]
        return {k: _unmasked(item, f"{where}{k}.", missing) for k, item in value.items() if k not in gone}
    if isinstance(value, list):
        return [_unmasked(item, f"{where}{_label(item, place)}.", missing) for place, item in enumerate(value)]
    return value


def _label(item: object, place: int) -> str:
    return str(item.get("field_name", place)) if isinstance(item, dict) else str(place)


def _placeholder(spec: TableSpec) -> TableSpec:
    key = spec.schema.fields[spec.schema.primary_key]
    vendor = {"fields": [{"field_name": key.name, "field_type": key.type.value}], _MARK: uuid.uuid4().hex}
    schema = TableSchema(fields={key.name: key}, primary_key=key.name, vector_indexes={})
    return TableSpec(spec.name, schema, vendor, TableSettings(), {})


def _require_free(engine: Engine, name: str) -> None:
    """Clears what a killed restore left. Raises TableExists, or Busy where one is going on."""
    if name not in engine.table_names():
        return
    if _MARK not in engine.table(name).vendor_schema:
        raise TableExists(f"table {name!r} exists; restore under another name, or drop it first")
    engine.hold(name, lambda: None)
    engine.drop_table(name)


def _clear(engine: Engine, blobs: BlobStore, placeholder: TableSpec) -> None:
    """Unless somebody else has begun meanwhile to restore a table of that name, or this one came to its end."""
    if engine.table(placeholder.name).vendor_schema.get(_MARK) == placeholder.vendor_schema[_MARK]:
        with blobs.clearing(placeholder.name):
            engine.drop_table(placeholder.name)
