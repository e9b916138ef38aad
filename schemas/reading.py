"""What a vendor schema means, taken apart once for the rules that judge it and for the table it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from schemas.table import MAX_DIMENSION, MODEL_DIMENSION, FieldType, TermIndexKind
from schemas.templates import PICTURE_FIELD, complete

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.vendor import VendorField, VendorIndex, VendorSchema

TERM_INDEX_KINDS: Mapping[str, TermIndexKind] = MappingProxyType(
    {"TEXT": "TEXT", "PACK": "TEXT", "STRING": "STRING", "NUMBER": "NUMBER"}
)
"""What an inverted index of the vendor's is here; types that are missing are not searched."""
KEY_AND_VECTOR, KEY_CATEGORY_AND_VECTOR = 2, 3


@dataclass(frozen=True, slots=True)
class VectorReading:
    """One CUSTOMIZED index: its vector field (None: no such field), category field and picture field, if any."""

    index: VendorIndex
    field: VendorField | None
    category: VendorField | None
    picture: VendorField | None

    @property
    def modelled(self) -> bool:
        return self.field is not None and self.field.model is not None

    @property
    def dimension(self) -> int | None:
        """None when it is not a whole number of 1 to MAX_DIMENSION; a modelled field's default is the vendor's."""
        given = self.index.settings.dimension
        if given is None:
            return MODEL_DIMENSION if self.modelled else None
        text = str(given)
        # The length is judged first because int() refuses thousands of digits with an error of its own.
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_DIMENSION))):
            return None
        return int(text) if 1 <= int(text) <= MAX_DIMENSION else None


@dataclass(frozen=True, slots=True)
class InvertedReading:
    """One index of words, texts or numbers that this version searches; ``fields`` are those that exist, each once."""

    index: VendorIndex
    kind: TermIndexKind
    fields: tuple[VendorField, ...]

    @property
    def is_pack(self) -> bool:
        return self.index.index_type.upper() == "PACK"


@dataclass(frozen=True, slots=True)
class Reading:
    """A schema with its template's indexes filled in. Of several fields with one name, ``fields`` has the first."""

    schema: VendorSchema
    from_template: bool
    fields: Mapping[str, VendorField]
    keys: tuple[VendorIndex, ...]
    vectors: tuple[VectorReading, ...]

    @property
    def key(self) -> VendorField | None:
        """The primary key's field, where exactly one is named and exists."""
        names = [name for index in self.keys for name in index.field_names]
        return self.fields.get(names[0]) if len(names) == 1 else None

    @property
    def inverted(self) -> tuple[InvertedReading, ...]:
        """Indexes of the types TEXT, PACK, STRING and NUMBER, but over pictures as Base64."""
        return tuple(
            InvertedReading(index, kind, self._fields_of(index))
            for index in self.schema.indexs
            if (kind := TERM_INDEX_KINDS.get(index.index_type.upper())) is not None
            and not any(self.is_base64(field) for field in self._fields_of(index))
        )

    def is_base64(self, field: VendorField) -> bool:
        """The field holds pictures that rows do not."""
        return field.param.content_type != "oss" and any(vector.picture is field for vector in self.vectors)

    def _fields_of(self, index: VendorIndex) -> tuple[VendorField, ...]:
        return tuple(self.fields[name] for name in dict.fromkeys(index.field_names) if name in self.fields)

    @property
    def vector_fields(self) -> tuple[VendorField, ...]:
        """Fields with a model and fields under a CUSTOMIZED index, in the schema's order."""
        indexed = {vector.field.field_name for vector in self.vectors if vector.field is not None}
        return tuple(f for f in self.fields.values() if f.model is not None or f.field_name in indexed)

    def picture_of(self, vector: VendorField) -> VendorField | None:
        """The field that ``vector_source_field`` names, else the only one that can hold pictures."""
        named = self.fields.get(source_name(vector))
        if named is not None:
            return named
        key = self.key
        texts = [f for f in self.fields.values() if f.stored_type is FieldType.STRING and not f.multi and f is not key]
        paths = [field for field in texts if field.param.content_type is not None]
        chosen = paths or texts
        return chosen[0] if len(chosen) == 1 else None


def source_name(vector: VendorField) -> str:
    return vector.param.vector_source_field or PICTURE_FIELD


def take_apart(vendor: VendorSchema) -> Reading:
    schema = complete(vendor)
    fields = {field.field_name: field for field in reversed(schema.fields)}
    ordered = {field.field_name: fields[field.field_name] for field in schema.fields}
    keys = tuple(index for index in schema.indexs if index.kind == "primary")
    bare = Reading(schema, schema is not vendor, ordered, keys, ())
    vectors = tuple(_vector(bare, index) for index in schema.indexs if index.kind == "vector")
    return Reading(schema, bare.from_template, ordered, keys, vectors)


def _vector(reading: Reading, index: VendorIndex) -> VectorReading:
    fields = [reading.fields[name] for name in index.field_names if name in reading.fields]
    vector = _vector_field(fields)
    picture = reading.picture_of(vector) if vector is not None and vector.model is not None else None
    others = [field for field in fields if field is not vector and field is not reading.key]
    category = others[0] if len(index.field_names) == KEY_CATEGORY_AND_VECTOR and len(others) == 1 else None
    return VectorReading(index, vector, category, picture)


def _vector_field(fields: list[VendorField]) -> VendorField | None:
    """By its model, else by its shape, else the last, where the vendor puts it."""
    modelled = [field for field in fields if field.model is not None]
    shaped = [field for field in fields if field.is_vector_shaped]
    ranked = modelled or shaped or fields
    return ranked[-1] if ranked else None
