"""Pictures of pushed documents: read, decoded, embedded, kept, and forgotten with their last row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engines.contract import Engine, TableSpec
from havengate.blobs import open_reader
from havengate.errors import DocumentError, HavengateError
from havengate.images import content_hash, decode_base64, decode_picture
from havengate.search import check_fingerprint
from havengate.types import Field, In, Literal, Row, Value
from schemas.table import PictureSource, VectorIndex

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from embedding.service import EmbeddingService
    from havengate.blobs import BlobStore
    from havengate.settings import LimitSettings
    from havengate.types import Vector

_CHUNK = 16


@dataclass(slots=True)
class Draft:
    """A document on its way to a row; ``index`` is its place in the push."""

    index: int
    cmd: str
    pk: str
    fields: dict[str, Value] = field(default_factory=dict)
    vectors: dict[str, Vector] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


class PictureRows:
    """The part of a push that has to do with pictures, for one engine, model service and blob store."""

    def __init__(self, engine: Engine, embedding: EmbeddingService, blobs: BlobStore, limits: LimitSettings) -> None:
        self._engine = engine
        self._embedding = embedding
        self._blobs = blobs
        self._limits = limits

    def fill(self, table: TableSpec, drafts: Sequence[Draft]) -> list[tuple[Draft, HavengateError]]:
        """Gives each draft with a picture and no vector its vector; returns the drafts whose picture is no good.

        Raises ModelError where the model is not the one that the index was built with.
        """
        failures: list[tuple[Draft, HavengateError]] = []
        for index in table.schema.vector_indexes.values():
            if index.source is None or index.model is None:
                continue
            source = index.source
            wanted = [d for d in drafts if d.fields.get(source.field) and index.field not in d.vectors]
            if wanted:
                check_fingerprint(table, index.name, self._embedding)
            for start in range(0, len(wanted), _CHUNK):
                failures += self._fill_chunk(table, index, source, wanted[start : start + _CHUNK])
        return failures

    def row(self, table: TableSpec, draft: Draft) -> Row:
        """The draft as a row; its Base64 pictures go to the blob store, a reference takes their place."""
        fields = dict(draft.fields)
        for name in table.schema.base64_fields & fields.keys():
            text = str(fields.pop(name))
            if text and table.settings.store_source:
                fields[name] = self._blobs.put(table.name, text.encode())
        return Row(draft.pk, fields, draft.vectors, draft.sources)

    def stored_keys(self, table: TableSpec, pks: Sequence[str]) -> dict[str, set[str]]:
        """By Base64 field, the blobs that rows hold which are about to change."""
        names = table.schema.base64_fields
        rows = self._engine.fetch(table.name, pks).values() if names else ()
        return {name: {str(row.fields[name]) for row in rows if name in row.fields} for name in names}

    def drop_orphans(self, table: TableSpec, before: dict[str, set[str]]) -> None:
        """Deletes the blobs that no row holds any more. A kill before this leaves a blob, never a hole."""
        unused = set[str]().union(*before.values())
        for name in table.schema.base64_fields:
            if unused:
                values = tuple(Literal(key) for key in unused)
                frame = self._engine.rows(table.name, In(Field(name), values), (name,)).frame
                unused -= set(frame[name].to_list())
        if unused:
            self._blobs.delete(table.name, unused)

    def _fill_chunk(
        self, table: TableSpec, index: VectorIndex, source: PictureSource, drafts: Sequence[Draft]
    ) -> list[tuple[Draft, HavengateError]]:
        failures: list[tuple[Draft, HavengateError]] = []
        pictures: dict[str, bytes] = {}
        for draft in drafts:
            try:
                data = self._read(source, str(draft.fields[source.field]))
            except HavengateError as error:
                failures.append((draft, error))
                continue
            draft.sources[index.field] = key = content_hash(data)
            pictures[key] = data
        vectors, broken = self._vectors(table, index, pictures)
        for draft in drafts:
            hash_ = draft.sources.get(index.field)
            if hash_ in vectors:
                draft.vectors[index.field] = vectors[hash_]
            elif hash_ in broken:
                failures.append((draft, broken[hash_]))
        return failures

    def _read(self, source: PictureSource, value: str) -> bytes:
        if source.kind == "base64":
            return decode_base64(value)
        if not source.endpoint:
            raise DocumentError(f"field {source.field!r} holds paths, but the schema names no oss_endpoint")
        return open_reader(source.endpoint, source.bucket).read(value, self._limits.picture_bytes)

    def _vectors(
        self, table: TableSpec, index: VectorIndex, pictures: dict[str, bytes]
    ) -> tuple[dict[str, Vector], dict[str, HavengateError]]:
        """Vectors by content hash, from the table where it has them, and the errors of broken pictures."""
        model = str(index.model)
        vectors = dict(self._engine.vectors_by_source(table.name, index.field, pictures))
        pixels: dict[str, npt.NDArray[np.uint8]] = {}
        broken: dict[str, HavengateError] = {}
        for hash_ in pictures.keys() - vectors.keys():
            try:
                pixels[hash_] = self._embedding.prepare(model, decode_picture(pictures[hash_], self._limits))
            except HavengateError as error:
                broken[hash_] = error
        if pixels:
            made = self._embedding.embed_pixels(model, list(pixels.values()))
            vectors.update(zip(pixels, made, strict=True))
        return vectors, broken
