"""What separates two schemas of one table, and what a rebuild does about it, part by part. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from schemas.table import FieldSpec, FieldType

if TYPE_CHECKING:
    from schemas.table import PictureSource, TableSchema, VectorIndex

Part = Literal["primary key", "field", "vector index", "index", "setting", "schema"]
Action = Literal["same", "added", "copied", "converted", "re-embedded", "from the source", "left behind", "refused"]
_EXACT_BITS = {FieldType.FLOAT: 24, FieldType.DOUBLE: 53}
"""Integers of so many bits are themselves as such a number (IEEE 754)."""


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one part of a table; ``says`` is how, or why, and empty where nothing changes."""

    part: Part
    name: str
    action: Action
    says: str = ""

    def __str__(self) -> str:
        return f"{self.part} {self.name!r}: {self.action}" + (f" ({self.says})" if self.says else "")


@dataclass(frozen=True, slots=True)
class Made:
    """What a schema's vectors are made with, and of.

    spaces         by vector index, the fingerprint's space; an index that is not in it has none on record
    keeps_sources  whether pushed Base64 pictures are kept
    """

    schema: TableSchema
    spaces: Mapping[str, str]
    keeps_sources: bool = True


def steps(old: Made, new: Made) -> tuple[Step, ...]:
    """Every part of the two: fields and inverted indexes by name, vector indexes by their field."""
    before, after = old.schema, new.schema
    return (*_key(before, after), *_fields(before, after), *_vectors(old, new), *_terms(before, after))


def _key(old: TableSchema, new: TableSchema) -> Iterator[Step]:
    if old.primary_key != new.primary_key:
        yield Step("primary key", old.primary_key, "refused", f"becomes {new.primary_key!r}: rows are known by it")
    elif not takes_all(old.key_type, new.key_type):
        says = f"{old.key_type.value} becomes {new.key_type.value}: rows are known by it"
        yield Step("primary key", old.primary_key, "refused", says)


def _fields(old: TableSchema, new: TableSchema) -> Iterator[Step]:
    for name, spec in new.fields.items():
        # A vector field is told of by its index, the key's field by the key.
        if name in new.vector_fields and (name not in old.fields or name in old.vector_fields):
            continue
        if name not in old.fields:
            yield Step("field", name, "added", "rows have no value until it is pushed")
        elif name != new.primary_key or name != old.primary_key or takes_all(old.fields[name].type, spec.type):
            yield _field(name, old, new, spec)
    for name in old.fields:
        if name not in new.fields and name not in old.vector_fields:
            yield Step("field", name, "left behind", "with its values")


def _field(name: str, old: TableSchema, new: TableSchema, spec: FieldSpec) -> Step:
    before = old.fields[name]
    if (name in old.vector_fields) != (name in new.vector_fields):
        return Step("field", name, "refused", "only one of the two schemas has vectors in it")
    if (name in old.base64_fields) != (name in new.base64_fields):
        return Step("field", name, "refused", "only one of the two schemas has pictures as Base64 in it")
    if before == spec:
        return Step("field", name, "same")
    says = f"{_type(before)} becomes {_type(spec)}"
    if takes(before, spec):
        return Step("field", name, "converted", says)
    return Step("field", name, "refused", f"{says}, which cannot hold all of its values")


def _type(spec: FieldSpec) -> str:
    return f"{spec.type.value}, several values" if spec.multi_value else spec.type.value


def takes(old: FieldSpec, new: FieldSpec) -> bool:
    """Whether every value of the one field has one that means the same in the other."""
    if old.multi_value and not new.multi_value:
        return False
    if takes_all(old.type, new.type):
        return True
    if old.type.is_integer and new.type in _EXACT_BITS:
        low, high = old.type.bounds
        return max(-low, high) <= 1 << _EXACT_BITS[new.type]
    return old.type.is_integer and new.type.is_string


def takes_all(old: FieldType, new: FieldType) -> bool:
    """Whether every value of the one type is, as it stands, a value of the other and means the same there."""
    if old.is_integer and new.is_integer:
        return new.bounds[0] <= old.bounds[0] and old.bounds[1] <= new.bounds[1]
    return old is new or (old.is_string and new.is_string) or (old, new) == (FieldType.FLOAT, FieldType.DOUBLE)


def _vectors(old: Made, new: Made) -> Iterator[Step]:
    before, after = old.schema.vector_fields, new.schema.vector_fields
    for field, index in after.items():
        if field in before:
            yield _vector(before[field], index, old, new)
        elif field not in old.schema.fields:
            yield _new_vector(index, old)
    for field, index in before.items():
        if field not in after and field not in new.schema.fields:
            yield Step("vector index", index.name, "left behind", "with its vectors")


def _new_vector(index: VectorIndex, old: Made) -> Step:
    if index.source is None or index.source.field not in old.schema.fields:
        return Step("vector index", index.name, "added", "rows have no vector until one is pushed")
    lacking = _lacking(index.source, old)
    says = f"added, from {_pictures(index.source)}"
    if lacking:
        return Step("vector index", index.name, "refused", f"{says}, but {lacking}")
    return Step("vector index", index.name, "re-embedded", says)


def _vector(before: VectorIndex, after: VectorIndex, old: Made, new: Made) -> Step:
    if after.model is None:
        return _pushed(before, after)
    reasons = "; ".join(_made_otherwise(before, after, old, new))
    if not reasons:
        return _copied(before, after)
    # The schema's rules give every index with a model a picture field.
    lacking = "it names no picture field" if after.source is None else _lacking(after.source, old)
    if lacking:
        return Step("vector index", after.name, "refused", f"{reasons}; but {lacking}")
    return Step("vector index", after.name, "re-embedded", reasons)


def _pushed(before: VectorIndex, after: VectorIndex) -> Step:
    if before.model is not None:
        says = f"vectors of {_model(before)} are none of clients"
        return Step("vector index", after.name, "refused", says)
    if before.dimension != after.dimension:
        says = f"pushed vectors of {before.dimension} numbers cannot have {after.dimension}"
        return Step("vector index", after.name, "refused", says)
    return _copied(before, after)


def _made_otherwise(before: VectorIndex, after: VectorIndex, old: Made, new: Made) -> Iterator[str]:
    """Why the old vectors are not what the new index would have been given."""
    space, wanted = old.spaces.get(before.name), new.spaces.get(after.name)
    if before.model != after.model:
        yield f"vectors of {_model(before)} are none of {_model(after)}"
    elif space is None:
        yield "what made its vectors is not on record"
    elif space != wanted:
        yield f"the model {after.model} was {space} and is {wanted}"
    if _pictures(before.source) != _pictures(after.source):
        yield f"vectors of {_pictures(before.source)} are none of {_pictures(after.source)}"


def _lacking(source: PictureSource, old: Made) -> str:
    """Why the rows have no such pictures; "" where they have."""
    if source.field not in old.schema.fields:
        return f"rows have no field {source.field!r} yet"
    if (source.kind == "base64") != (source.field in old.schema.base64_fields):
        return f"the rows' field {source.field!r} holds no pictures of that kind"
    if source.kind == "base64" and not old.keeps_sources:
        return "the table keeps no pictures (store_source=false); --from-source reads them again"
    return ""


def _copied(before: VectorIndex, after: VectorIndex) -> Step:
    says = "; ".join(_details(before, after))
    return Step("vector index", after.name, "copied" if says else "same", says)


def _details(old: VectorIndex, new: VectorIndex) -> Iterator[str]:
    if old.name != new.name:
        yield f"it was called {old.name!r}"
    if old.distance != new.distance:
        yield f"{old.distance} becomes {new.distance}"
    if old.category_field != new.category_field:
        yield f"its category field is {new.category_field or 'none'}"
    if old.hnsw != new.hnsw:
        yield "its graph is built with other parameters"
    if old.delimiter != new.delimiter:
        yield f"numbers are separated by {new.delimiter!r}"
    if old.source != new.source:
        # Pictures that moved to another bucket are the same pictures.
        yield "pictures are read from another place"


def _model(index: VectorIndex) -> str:
    return "clients" if index.model is None else f"the model {index.model}"


def _pictures(source: PictureSource | None) -> str:
    return "no pictures" if source is None else f"pictures in field {source.field!r} ({source.kind})"


def _terms(old: TableSchema, new: TableSchema) -> Iterator[Step]:
    before, after = old.term_indexes, new.term_indexes
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            yield Step("index", name, "left behind")
        elif name not in before:
            yield Step("index", name, "added", "over the rows that are there")
        elif before[name] != after[name]:
            yield Step("index", name, "converted", "it is built otherwise")
