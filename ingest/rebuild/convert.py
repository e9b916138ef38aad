"""Rows of one generation as rows of another: values fitted, vectors copied, or made again from the pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from havengate.errors import DocumentError, HavengateError, ModelError, Moved, Overloaded, is_passing
from havengate.picture_rows import Draft, PictureRows
from havengate.types import Row
from havengate.values import coerce
from ingest.rebuild.decide import made
from schemas.changes import steps, takes_all

if TYPE_CHECKING:
    from embedding.service import EmbeddingService
    from engines.contract import TableSpec
    from havengate.services import Services
    from havengate.types import Value, Vector
    from schemas.table import FieldSpec, PictureSource, TableSchema, VectorIndex

_TRIES = 20
_COPIED = ("same", "copied")


@dataclass(frozen=True, slots=True)
class Converted:
    """A row of the other generation; ``lacks`` says what could not come along, "" where all did."""

    row: Row
    lacks: str = ""


@dataclass(slots=True)
class _Half:
    """A row on its way."""

    old: Row
    fields: dict[str, Value]
    vectors: dict[str, Vector] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    lacks: list[str] = field(default_factory=list)


class Converter:
    """From the generation that ``former`` is of to that of ``target``, both specifications by address.

    Any thread. Converting writes nothing.
    """

    def __init__(self, services: Services, former: TableSpec, target: TableSpec, *, tolerant: bool = False) -> None:
        """``tolerant``: rows whose model is not here any more lack their vectors, instead of a ModelError."""
        self.former, self.target = former, target
        self._services = services
        self._blobs = services.tables.blobs
        self._pictures = PictureRows(
            services.engine, services.embedding, self._blobs, services.readers, services.settings
        )
        actions = {step.name: step.action for step in steps(made(former), made(target)) if step.part == "vector index"}
        indexes = target.schema.vector_indexes.values()
        self._copied = [index for index in indexes if actions.get(index.name) in _COPIED]
        self._embedded = [index for index in indexes if index not in self._copied and index.model is not None]
        self._lost = {
            index.field: "a pushed vector of the former index is none of this one"
            for index in indexes
            if index not in self._copied and index.model is None
        }
        for index in self._embedded if tolerant else ():
            if why := silent(services.embedding, target, index):
                self._lost[index.field] = why
        self._values = {name: _fitting(former.schema, target.schema, name) for name in target.schema.attribute_fields}

    @property
    def embeds(self) -> bool:
        """Whether rows need a model."""
        return bool(self._embedded)

    def convert(self, rows: Sequence[Row]) -> list[Converted]:
        """Rows with all their vectors and sources, as the other generation keeps them, in their order.

        Raises ModelError, EngineError and what else has nothing to do with a row of its own.
        """
        halves = [self._copy(row) for row in rows]
        if self._embedded:
            self._embed(halves)
        for half in halves:
            half.lacks += [
                f"field {name!r}: {why}"
                for name, why in self._lost.items()
                if name in half.old.vectors and name not in half.vectors
            ]
        return [
            Converted(Row(half.old.pk, half.fields, half.vectors, half.sources), "; ".join(half.lacks))
            for half in halves
        ]

    def _copy(self, row: Row) -> _Half:
        half = _Half(row, {})
        for name, value in row.fields.items():
            if name not in self._values:
                continue
            try:
                half.fields[name] = self._values[name](value)
            except DocumentError as error:
                half.lacks.append(error.message)
        for index in self._copied:
            if index.field in row.vectors:
                half.vectors[index.field] = row.vectors[index.field]
            if index.field in row.sources:
                half.sources[index.field] = row.sources[index.field]
        return half

    def _embed(self, halves: Sequence[_Half]) -> None:
        for index in self._embedded:
            self._known(index, halves)
        drafts = {place: self._draft(place, half) for place, half in enumerate(halves)}
        for draft, error in self._filled([draft for draft in drafts.values() if draft.fields]):
            if is_passing(error):
                raise error
            halves[draft.index].lacks.append(error.message)
        for place, draft in drafts.items():
            # A picture that could not be decoded has a hash and no vector.
            halves[place].sources = {name: hash_ for name, hash_ in draft.sources.items() if name in draft.vectors}
        for half in halves:
            half.lacks += [
                f"field {index.field!r}: there is no picture to make its vector from again"
                for index in self._embedded
                if index.field in half.old.vectors.keys() - half.vectors.keys() - self._lost.keys() and not half.lacks
            ]

    def _known(self, index: VectorIndex, halves: Sequence[_Half]) -> None:
        """Vectors that the new generation has of the very pictures: nothing is read for them."""
        before = self.former.schema.vector_fields.get(index.field)
        if before is None or _field(before.source) != _field(index.source):
            return
        hashes = {half.old.sources[index.field] for half in halves if index.field in half.old.sources}
        known = self._services.engine.vectors_by_source(self.target.name, index.field, hashes) if hashes else {}
        for half in halves:
            hash_ = half.old.sources.get(index.field, "")
            if hash_ in known:
                half.vectors[index.field], half.sources[index.field] = known[hash_], hash_

    def _draft(self, place: int, half: _Half) -> Draft:
        draft = Draft(place, "add", half.old.pk, {}, half.vectors, half.sources)
        for index in self._embedded:
            source = index.source
            if source is None or index.field in self._lost or not half.old.fields.get(source.field):
                continue
            if index.field in half.vectors:
                continue
            try:
                draft.fields[source.field] = self._picture(source, half.old)
            except DocumentError as error:
                half.lacks.append(error.message)
        return draft

    def _picture(self, source: PictureSource, row: Row) -> str:
        """The path of a row's picture, or the picture itself as it was pushed."""
        value = str(row.fields[source.field])
        if (source.kind == "base64") != (source.field in self.former.schema.base64_fields):
            raise DocumentError(f"field {source.field!r}: its pictures are of another kind")
        if source.kind != "base64":
            return value
        try:
            return self._blobs.get(self.former.table, value).decode()
        except Moved as error:
            # While there are two generations no picture is removed: this one was lost before.
            raise DocumentError(f"field {source.field!r}: its picture is lost") from error

    def _filled(self, drafts: Sequence[Draft]) -> list[tuple[Draft, HavengateError]]:
        """A model that searches keep busy is waited for: nobody waits for an answer."""
        for _ in range(_TRIES - 1):
            try:
                return self._pictures.fill(self.target, drafts)
            except Overloaded as busy:
                time.sleep(busy.retry_after_s or 0)
        return self._pictures.fill(self.target, drafts)


def silent(embedding: EmbeddingService, spec: TableSpec, index: VectorIndex) -> str:
    """Why texts and pictures cannot be embedded for a generation's index; "" where they can."""
    if index.model is None:
        return f"{spec.name} has no model"
    try:
        now = embedding.fingerprint(index.model)
    except ModelError as error:
        return error.message
    recorded = spec.fingerprints.get(index.name)
    if recorded is not None and recorded.space != now.space:
        return f"{spec.name} was made with {recorded.space}, which is not here any more"
    return ""


def _field(source: PictureSource | None) -> tuple[str, str] | None:
    return None if source is None else (source.field, source.kind)


def _fitting(old: TableSchema, new: TableSchema, name: str) -> Callable[[Value], Value]:
    """What makes a stored value of the one schema one of the other; raises DocumentError where it has none."""
    before, after = old.fields.get(name), new.fields[name]
    if before is None or before == after or name in old.vector_fields:
        return _same
    if (name in old.base64_fields) != (name in new.base64_fields):
        return _refusal(f"field {name!r}: a picture as Base64 and a text are stored differently")
    if takes_all(before.type, after.type) and before.multi_value == after.multi_value:
        return _same
    return lambda value: _fitted(before, after, value)


def _same(value: Value) -> Value:
    return value


def _refusal(says: str) -> Callable[[Value], Value]:
    def refuse(_value: Value) -> Value:
        raise DocumentError(says)

    return refuse


def _fitted(before: FieldSpec, after: FieldSpec, value: Value) -> Value:
    if before.multi_value and not after.multi_value:
        if not isinstance(value, list) or len(value) != 1:
            raise DocumentError(f"field {after.name!r}: several values where one is stored")
        value = value[0]
    if after.multi_value and not isinstance(value, list | Mapping):
        # A text alone would be taken apart at the separator.
        value = [value]
    return coerce(after, value)
