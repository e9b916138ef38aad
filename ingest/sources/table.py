"""Rows of another table, or of a kept generation of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from engines.contract import Engine, TableSpec, at
from havengate.errors import DocumentError, Moved, RequestError, UnknownGeneration, UnknownTable
from havengate.search import NO_PICTURE
from havengate.types import Row
from ingest.sources.base import Batch, Checkpoint, Record, noted
from ingest.sources.batching import batched
from ingest.sources.columns import check_columns
from schemas.table import VectorIndex

if TYPE_CHECKING:
    from havengate.blobs import BlobStore

SCHEME = "table:"
_PAGE = 256


class TableSource:
    """Rows by ``Engine.scan``: vectors are copied where both tables' were made by one model or by clients.

    Otherwise the picture comes along and the vector is made anew. ``fields`` are those to take (None: all). Raises
    UnknownTable, RequestError where rows of the one would not fit the other.
    """

    def __init__(
        self, name: str, fields: Sequence[str] | None, target: TableSpec, *, engine: Engine, blobs: BlobStore
    ) -> None:
        try:
            self._spec = engine.table(name)
        except UnknownTable as error:
            known = ", ".join(engine.table_names()) or "none"
            raise UnknownTable(f"no table {name!r} to read from; there are: {known}") from error
        if name == target.name:
            raise RequestError(f"{SCHEME}{name}: a table is no source of its own")
        # A rebuild meanwhile must not mix vectors of two models.
        self._address = at(name, self._spec.generation) if self._spec.expects else name
        self._engine = engine
        self._blobs = blobs
        wanted = self._wanted(fields)
        check_columns(self.name, wanted, target.schema)
        self._check_pictures(wanted, target)
        self._copied, self._anew = self._vectors(wanted, target)
        self._attributes = tuple(name for name in wanted if name in self._spec.schema.attribute_fields)

    @property
    def name(self) -> str:
        return f"{SCHEME}{self._spec.name}"

    def count(self) -> int | None:
        return self._engine.stats(self._address).rows

    def left_out(self) -> int:
        return 0

    def batches(self, after: Checkpoint | None, size: int) -> Iterator[Batch]:
        return batched(self._records(noted(after, "key") if after else None), size)

    def _records(self, after: str | None) -> Iterator[tuple[Record, Checkpoint]]:
        while rows := self._page(after):
            for row in rows:
                after = row.pk
                if record := self._record(row):
                    yield record, {"key": row.pk}

    def _page(self, after: str | None) -> list[Row]:
        try:
            return self._engine.scan(self._address, after, _PAGE)
        except UnknownGeneration as error:
            raise Moved(f"{self.name} was rebuilt while it was read, and what it was before is gone") from error

    def _wanted(self, fields: Sequence[str] | None) -> list[str]:
        known = self._spec.schema.fields
        unknown = [repr(name) for name in fields or () if name not in known]
        if unknown:
            raise RequestError(f"{self.name} has no field {', '.join(unknown)}; its fields are: {', '.join(known)}")
        return list(known if fields is None else fields)

    def _vectors(self, wanted: Sequence[str], target: TableSpec) -> tuple[list[str], dict[str, str]]:
        """Vector fields to copy, and those to make anew with the field of the picture that this takes."""
        copied, anew = [], {}
        for name in wanted:
            mine, other = self._spec.schema.vector_fields.get(name), target.schema.vector_fields.get(name)
            if (mine is None) != (other is None):
                raise RequestError(f"{self.name}: field {name!r} is a vector in one of the tables only")
            if mine is None or other is None:
                continue
            if mine.dimension == other.dimension and self._same_space(mine, other, target):
                copied.append(name)
            elif other.source is not None and other.source.field in wanted:
                anew[name] = other.source.field
            else:
                raise RequestError(
                    f"{self.name}: vectors of field {name!r} are of another model or dimension, "
                    f"and no picture comes along to make them anew"
                )
        return copied, anew

    def _same_space(self, mine: VectorIndex, other: VectorIndex, target: TableSpec) -> bool:
        """A table whose clients push vectors takes any."""
        made, wanted = self._spec.fingerprints.get(mine.name), target.fingerprints.get(other.name)
        return wanted is None or (made is not None and made.space == wanted.space)

    def _check_pictures(self, fields: Sequence[str], target: TableSpec) -> None:
        """A path is no Base64 picture, and one bucket's path is nothing in another."""
        sources = {i.source.field: i.source for i in self._spec.schema.vector_indexes.values() if i.source}
        wanted = {i.source.field: i.source for i in target.schema.vector_indexes.values() if i.source}
        for name in fields:
            mine, other = sources.get(name), wanted.get(name)
            if mine is None or other is None:
                continue
            if (mine.kind, mine.endpoint, mine.bucket) != (other.kind, other.endpoint, other.bucket):
                raise RequestError(f"{self.name}: pictures of field {name!r} are kept elsewhere than the table's own")

    def _record(self, row: Row) -> Record | None:
        """None for a row that is gone by now."""
        place = f"{self._spec.name}/{row.pk}"
        try:
            return Record(place, self._fields(row))
        except DocumentError as error:
            return Record(place, None, error.message)
        except Moved:
            # The row was replaced while it was read, and its picture went.
            fresh = self._engine.fetch(self._address, [row.pk], self._spec.schema.vector_fields).get(row.pk)
        try:
            return Record(place, self._fields(fresh)) if fresh else None
        except (DocumentError, Moved) as error:
            return Record(place, None, error.message)

    def _fields(self, row: Row) -> Mapping[str, object]:
        fields: dict[str, object] = {name: row.fields[name] for name in self._attributes if name in row.fields}
        for name in self._spec.schema.base64_fields & fields.keys():
            key = str(fields.pop(name))
            if key != NO_PICTURE:
                fields[name] = self._blobs.get(self._spec.table, key).decode()
        for name in self._copied:
            if name in row.vectors:
                fields[name] = row.vectors[name].tolist()
        lost = [repr(field) for field, source in self._anew.items() if field in row.vectors and source not in fields]
        if lost:
            raise DocumentError(f"no picture was kept to make the vector of {', '.join(lost)} anew")
        return fields
