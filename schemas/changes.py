"""What separates two schemas of one table: what copying its rows brings about, and what copying cannot. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from havengate.errors import SchemaError
from schemas.table import FieldType

if TYPE_CHECKING:
    from schemas.table import FieldSpec, PictureSource, TableSchema, VectorIndex


@dataclass(frozen=True, slots=True)
class Changes:
    """Sentences: ``copied`` comes about by copying, each of ``impossible`` is a reason why copying cannot."""

    copied: tuple[str, ...]
    impossible: tuple[str, ...]


def changes(old: TableSchema, new: TableSchema) -> Changes:
    """Compares two resolved schemas; fields and term indexes by name, vector indexes by their field."""
    found = [*_fields(old, new), *_vectors(old, new), *_terms(old, new)]
    return Changes(
        tuple(text for possible, text in found if possible), tuple(text for possible, text in found if not possible)
    )


def require_copying(old: TableSchema, new: TableSchema) -> tuple[str, ...]:
    """What copying brings about. Raises SchemaError with every reason why it cannot, each on a line."""
    found = changes(old, new)
    if found.impossible:
        reasons = "\n".join(f"- {reason}" for reason in found.impossible)
        raise SchemaError(
            f"rows cannot be copied into this schema; make a new table and push the rows into it:\n{reasons}"
        )
    return found.copied


_Difference = tuple[bool, str]
"""Whether copying brings it about, and the sentence."""


def _fields(old: TableSchema, new: TableSchema) -> Iterator[_Difference]:
    if old.primary_key != new.primary_key:
        yield False, f"primary key: {old.primary_key!r} becomes {new.primary_key!r}"
    for name, spec in new.fields.items():
        if name not in old.fields:
            what = "vector field" if name in new.vector_fields else "field"
            yield True, f"{what} {name!r} is added; rows have no value until it is pushed"
        else:
            yield from _field(name, old, new, spec)
    for name in old.fields:
        if name not in new.fields and name != old.primary_key:
            yield True, f"field {name!r} goes, with its values"


def _field(name: str, old: TableSchema, new: TableSchema, spec: FieldSpec) -> Iterator[_Difference]:
    before = old.fields[name]
    if (name in old.vector_fields) != (name in new.vector_fields):
        yield False, f"field {name!r}: only one of the two schemas has vectors in it"
        return
    if (name in old.base64_fields) != (name in new.base64_fields):
        yield False, f"field {name!r}: only one of the two schemas has pictures as Base64 in it"
    if before.multi_value != spec.multi_value:
        yield False, f"field {name!r}: one value and several (multi_value) are stored differently"
    if before.type is not spec.type:
        text = f"field {name!r}: {before.type.value} becomes {spec.type.value}"
        fits = takes_all(before.type, spec.type)
        yield fits, text if fits else f"{text}, which cannot hold all of its values"


def takes_all(old: FieldType, new: FieldType) -> bool:
    """Whether every value of the one type is a value of the other and means the same there."""
    if old.is_integer and new.is_integer:
        return new.bounds[0] <= old.bounds[0] and old.bounds[1] <= new.bounds[1]
    return (old.is_string and new.is_string) or (old, new) == (FieldType.FLOAT, FieldType.DOUBLE)


def _vectors(old: TableSchema, new: TableSchema) -> Iterator[_Difference]:
    after = new.vector_fields
    for field, index in old.vector_fields.items():
        if field in after:
            yield from _vector(index, after[field])


def _vector(old: VectorIndex, new: VectorIndex) -> Iterator[_Difference]:
    where = f"vector index {old.name!r}"
    if old.dimension != new.dimension:
        yield False, f"{where}: vectors of {old.dimension} numbers cannot have {new.dimension}"
    if old.model != new.model:
        yield False, f"{where}: vectors of {_model(old)} are none of {_model(new)}"
    if _pictures(old.source) != _pictures(new.source):
        yield False, f"{where}: vectors of {_pictures(old.source)} are none of {_pictures(new.source)}"
    if old.name != new.name:
        yield True, f"{where} is called {new.name!r}"
    if old.distance != new.distance:
        yield True, f"{where}: {old.distance} becomes {new.distance}"
    if old.category_field != new.category_field:
        yield True, f"{where}: its category field is {new.category_field or 'none'}"
    if old.hnsw != new.hnsw:
        yield True, f"{where}: its graph is built with other parameters"
    if old.delimiter != new.delimiter:
        yield True, f"{where}: numbers are separated by {new.delimiter!r}"
    if old.source != new.source:
        yield True, f"{where}: pictures are read from another place"


def _model(index: VectorIndex) -> str:
    return "clients" if index.model is None else f"the model {index.model}"


def _pictures(source: PictureSource | None) -> str:
    # Pictures that moved to another bucket are the same pictures.
    return "no pictures" if source is None else f"pictures in field {source.field!r} ({source.kind})"


def _terms(old: TableSchema, new: TableSchema) -> Iterator[_Difference]:
    before: Mapping[str, object] = old.term_indexes
    after: Mapping[str, object] = new.term_indexes
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            yield True, f"index {name!r} goes"
        elif name not in before:
            yield True, f"index {name!r} is added"
        elif before[name] != after[name]:
            yield True, f"index {name!r} changes"
