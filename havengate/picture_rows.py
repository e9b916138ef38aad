"""Pictures of pushed documents: read, decoded, embedded, kept, and forgotten with their last row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engines.contract import Engine, RowsQuery, TableSpec
from havengate.blobs import Since
from havengate.errors import EngineError, HavengateError, ModelError
from havengate.images import content_hash, decode_base64, decode_picture
from havengate.query_vectors import check_fingerprint
from havengate.search import NO_PICTURE
from havengate.types import Field, In, Literal, Row, Value
from schemas.table import PictureSource, VectorIndex

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from embedding.service import EmbeddingService
    from havengate.blobs import BlobStore
    from havengate.objects import Readers
    from havengate.settings import Settings
    from havengate.types import Vector

_CHUNK_BYTES = 32 << 20


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

    def __init__(
        self, engine: Engine, embedding: EmbeddingService, blobs: BlobStore, readers: Readers, settings: Settings
    ) -> None:
        self._engine = engine
        self._embedding = embedding
        self._blobs = blobs
        self._readers = readers
        self._limits = settings.limits
        self._batch = settings.embedding.batch

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
            failures += self._fill_index(table, index, source, wanted)
        return failures

    @contextmanager
    def forgetting(self, table: TableSpec, pks: Sequence[str]) -> Iterator[Callable[[Sequence[Draft]], list[Row]]]:
        """Around one write of these keys: gives what makes drafts rows; deletes the blobs that nobody holds after.

        A kill in between, or an engine that cannot say what became of the rows, leaves a blob too many, never a row
        without its own; the daily sweep takes it.
        """
        with self._blobs.writing(table.table) if table.schema.base64_fields else nullcontext(Since()) as since:
            touched = self._held(table, pks)
            try:
                yield lambda drafts: self._rows(table, drafts, touched)
            except EngineError:
                # A cluster may still do what nobody waited for any longer, or have done it unseen.
                raise
            except BaseException:
                with suppress(HavengateError):
                    self._drop_unheld(table, touched, since)
                raise
            self._drop_unheld(table, touched, since)

    def _rows(self, table: TableSpec, drafts: Sequence[Draft], touched: dict[str, set[str]]) -> list[Row]:
        """The drafts as rows; their Base64 pictures go to the blob store, references take their place."""
        texts = [(draft, name) for draft in drafts for name in table.schema.base64_fields & draft.fields.keys()]
        kept = dict[tuple[int, str], str]()
        if table.settings.store_source:
            blobs = [str(draft.fields[name]).encode() for draft, name in texts]
            for (draft, name), key in zip(texts, self._blobs.put_many(table.table, blobs), strict=True):
                kept[draft.index, name] = key
                touched[name].add(key)
        rows = []
        for draft in drafts:
            fields = dict(draft.fields)
            for name in table.schema.base64_fields & fields.keys():
                del fields[name]
                if (draft.index, name) in kept:
                    fields[name] = kept[draft.index, name]
                elif draft.cmd == "update_field":
                    fields[name] = NO_PICTURE
            rows.append(Row(draft.pk, fields, draft.vectors, draft.sources))
        return rows

    def _held(self, table: TableSpec, pks: Sequence[str]) -> dict[str, set[str]]:
        """By Base64 field, the blobs of rows that are about to change."""
        names = table.schema.base64_fields
        rows = self._engine.fetch(table.name, pks).values() if names else ()
        return {name: {str(row.fields[name]) for row in rows if row.fields.get(name)} for name in names}

    def _drop_unheld(self, table: TableSpec, touched: dict[str, set[str]], since: Since) -> None:
        unheld = set[str]().union(*touched.values())
        for name in table.schema.base64_fields:
            if unheld:
                values = tuple(Literal(key) for key in unheld)
                frame = self._engine.rows(table.name, RowsQuery(In(Field(name), values), (name,))).frame
                unheld -= set(frame[name].to_list())
        # Rows of a kept generation may hold them, too: their pictures go with the table.
        if unheld and len(self._engine.generations(table.table)) == 1:
            self._blobs.delete(table.table, unheld, since)

    def _fill_index(
        self, table: TableSpec, index: VectorIndex, source: PictureSource, drafts: Sequence[Draft]
    ) -> list[tuple[Draft, HavengateError]]:
        """In chunks of a model's batch, of fewer pictures where they are large."""
        failures: list[tuple[Draft, HavengateError]] = []
        chunk: list[Draft] = []
        pictures: dict[str, bytes] = {}
        for draft in drafts:
            try:
                data = self._read(source, str(draft.fields[source.field]))
            except HavengateError as error:
                failures.append((draft, error))
                continue
            draft.sources[index.field] = key = content_hash(data)
            pictures[key] = data
            chunk.append(draft)
            if len(chunk) == self._batch or sum(map(len, pictures.values())) > _CHUNK_BYTES:
                failures += self._embedded(table, index, chunk, pictures)
                chunk, pictures = [], {}
        return failures + self._embedded(table, index, chunk, pictures)

    def _embedded(
        self, table: TableSpec, index: VectorIndex, drafts: Sequence[Draft], pictures: dict[str, bytes]
    ) -> list[tuple[Draft, HavengateError]]:
        vectors, broken = self._vectors(table, index, pictures) if pictures else ({}, {})
        failures: list[tuple[Draft, HavengateError]] = []
        for draft in drafts:
            hash_ = draft.sources[index.field]
            if hash_ in vectors:
                draft.vectors[index.field] = vectors[hash_]
            else:
                failures.append((draft, broken[hash_]))
        return failures

    def _read(self, source: PictureSource, value: str) -> bytes:
        if source.kind == "base64":
            return decode_base64(value)
        return self._readers.reader(source).read(value, self._limits.picture_bytes)

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
            except ModelError:
                raise
            except HavengateError as error:
                broken[hash_] = error
        if pixels:
            made = self._embedding.embed_pixels(model, list(pixels.values()))
            vectors.update(zip(pixels, made, strict=True))
        return vectors, broken
