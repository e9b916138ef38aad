"""From the vendor's schema to the table that the other rooms see."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from havengate.errors import SchemaError
from schemas.graph import hnsw
from schemas.reading import InvertedReading, Reading, VectorReading, take_apart
from schemas.rules import check
from schemas.table import (
    AccessKeys,
    DistanceType,
    FieldSpec,
    PictureSource,
    TableSchema,
    TermIndex,
    TermIndexKind,
    VectorIndex,
)

if TYPE_CHECKING:
    from schemas.vendor import VendorField, VendorSchema

T = TypeVar("T")


def resolve(vendor: VendorSchema) -> TableSchema:
    """The typed table, with the template's indexes where the schema has none.

    Raises SchemaError with every error of ``schemas.rules.check`` on a line of its own.
    """
    errors = [finding for finding in check(vendor) if finding.level == "error"]
    if errors:
        raise SchemaError("\n".join(f"{e.where}: {e.message} [{e.rule}]" for e in errors))
    reading = take_apart(vendor)
    indexes = [_index(vector) for vector in reading.vectors]
    return TableSchema(
        fields={name: _field(field) for name, field in reading.fields.items()},
        primary_key=_checked(reading.key).field_name,
        vector_indexes={index.name: index for index in indexes},
        term_indexes={index.name: index for index in (_key_index(reading), *map(_term_index, reading.inverted))},
    )


def _field(field: VendorField) -> FieldSpec:
    return FieldSpec(field.field_name, _checked(field.stored_type), field.multi)


def _index(vector: VectorReading) -> VectorIndex:
    field, given, category = _checked(vector.field), vector.index.settings, vector.category
    return VectorIndex(
        name=vector.index.index_name,
        field=field.field_name,
        dimension=_checked(vector.dimension),
        # SquaredEuclidean is what the vendor's template says.
        distance=cast("DistanceType", given.distance_type or "SquaredEuclidean"),
        category_field=None if category is None else category.field_name,
        model=field.model,
        source=None if vector.picture is None else _source(vector.picture),
        delimiter=given.embedding_delimiter or ",",
        hnsw=hnsw(given),
    )


def _key_index(reading: Reading) -> TermIndex:
    """The primary key is found by its value, as any other text or number."""
    key = _checked(reading.key)
    kind: TermIndexKind = "STRING" if _checked(key.stored_type).is_string else "NUMBER"
    return TermIndex(reading.keys[0].index_name, kind, (key.field_name,))


def _term_index(inverted: InvertedReading) -> TermIndex:
    fields = tuple(field.field_name for field in inverted.fields)
    return TermIndex(inverted.index.index_name, inverted.kind, fields)


def _source(picture: VendorField) -> PictureSource:
    param = picture.param
    if param.content_type != "oss":
        return PictureSource(picture.field_name, "base64")
    # The vendor's example has the labels of the two swapped; the names are those of its APIs.
    keys = AccessKeys(param.oss_access_key or "", param.oss_secret or "") if param.has_keys else None
    return PictureSource(picture.field_name, "oss", param.oss_endpoint or "", param.oss_bucket or "", keys)


def _checked(value: T | None) -> T:
    """A part that no schema without errors lacks."""
    if value is None:
        raise SchemaError("a rule is missing: the schema passed the check but cannot be a table")
    return value
