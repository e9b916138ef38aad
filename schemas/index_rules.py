"""Rules about indexes: the primary key, vector indexes and their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from havengate.errors import SchemaError
from schemas.findings import Finding, finding
from schemas.graph import hnsw
from schemas.reading import KEY_AND_VECTOR, KEY_CATEGORY_AND_VECTOR, TERM_INDEX_KINDS, Reading, VectorReading
from schemas.table import MAX_DIMENSION, MODEL_DIMENSION, DistanceType, FieldType, TermIndexKind
from schemas.vendor import INVERTED_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.vendor import VendorField

DISTANCES: tuple[str, ...] = get_args(DistanceType)
_NO_DELIMITERS = frozenset("0123456789+-.eE;#&'")


def template_used(reading: Reading) -> Iterator[Finding]:
    if reading.from_template:
        key = ", ".join(index.index_name for index in reading.keys)
        vectors = "".join(f", CUSTOMIZED index {v.index.index_name}" for v in reading.vectors)
        says = f"none given; the template's are used: primary key index {key}{vectors}"
        if vectors:
            says += f" ({MODEL_DIMENSION} dimensions, SquaredEuclidean)"
        yield finding("indexs-from-template", "indexs", says)


def index_types(reading: Reading) -> Iterator[Finding]:
    searched = [inverted.index for inverted in reading.inverted]
    for index in reading.schema.indexs:
        where = f"indexs.{index.index_name}.index_type"
        if index.kind is None:
            known = ", ".join(("PRIMARYKEY64", "PRIMARYKEY128", "CUSTOMIZED", *sorted(INVERTED_TYPES)))
            yield finding("index-type", where, f"no index type {index.index_type!r} (types: {known})")
        elif index.kind == "inverted" and index not in searched:
            pictures = " over pictures as Base64" if index.index_type.upper() in TERM_INDEX_KINDS else ""
            says = f"a {index.index_type} index{pictures} is not searched by this version"
            yield finding("index-not-searched", where, says)


def index_fields(reading: Reading) -> Iterator[Finding]:
    for index in reading.schema.indexs:
        for name in dict.fromkeys(index.field_names):
            if name not in reading.fields:
                says = f"no field {name!r} (fields: {', '.join(reading.fields)})"
                yield finding("index-field-unknown", f"indexs.{index.index_name}.index_fields", says)


def inverted_fields(reading: Reading) -> Iterator[Finding]:
    vectors = reading.vector_fields
    for inverted in reading.inverted:
        where, given = f"indexs.{inverted.index.index_name}.index_fields", inverted.index.field_names
        if not given or (len(given) > 1 and not inverted.is_pack):
            says = f"{inverted.index.index_type} takes one field, not {len(given)}"
            yield finding("inverted-index-fields", where, says)
        # A field with a model has a rule of its own, and an unknown type is said where the field is.
        for field in (f for f in inverted.fields if f.model is None and f.stored_type is not None):
            if field in vectors or not _fits(inverted.kind, field):
                many = " of vectors" if field in vectors else ""
                says = (
                    f"{inverted.index.index_type} is not over {field.field_name!r}, which is {field.field_type}{many}"
                )
                yield finding("inverted-index-fields", where, says)


def _fits(kind: TermIndexKind, field: VendorField) -> bool:
    stored = field.stored_type
    return stored is not None and (stored.is_number if kind == "NUMBER" else stored == kind)


def primary_key(reading: Reading) -> Iterator[Finding]:
    if len(reading.keys) != 1:
        found = ", ".join(index.index_name for index in reading.keys) or "none"
        says = f"exactly one index of type PRIMARYKEY64 or PRIMARYKEY128 is needed; found: {found}"
        yield finding("primary-key", "indexs", says)
        return
    index, key = reading.keys[0], reading.key
    where = f"indexs.{index.index_name}.index_fields"
    if len(index.field_names) != 1:
        yield finding("primary-key", where, f"a primary key is one field, not {len(index.field_names)}")
    if key is None:
        return
    if not key.is_key_shaped:
        many = ", multi_value" if key.multi else ""
        says = f"the key field {key.field_name!r} is one STRING or integer, not {key.field_type}{many}"
        yield finding("primary-key-type", where, says)
    if any(vector.picture is key for vector in reading.vectors):
        yield finding("primary-key", where, f"the key field {key.field_name!r} holds the pictures")


def model_indexes(reading: Reading) -> Iterator[Finding]:
    for field in reading.vector_fields:
        over = [i for i in reading.schema.indexs if field.field_name in i.field_names and i.kind != "primary"]
        if field.model is not None and not over:
            says = "a field with vector_model needs a CUSTOMIZED index over it"
            yield finding("vector-index-missing", f"fields.{field.field_name}", says)
        for index in over if field.model is not None else ():
            if index.kind != "vector":
                says = f"an index over {field.field_name!r}, which has a vector_model, is CUSTOMIZED"
                yield finding("vector-index-customized", f"indexs.{index.index_name}.index_type", says)
        for index in [i for i in over if i.kind == "vector"][1:]:
            says = f"the vector field {field.field_name!r} has a CUSTOMIZED index already"
            yield finding("vector-index-unique", f"indexs.{index.index_name}.index_fields", says)


def vector_members(reading: Reading) -> Iterator[Finding]:
    for vector in reading.vectors:
        where, given = f"indexs.{vector.index.index_name}.index_fields", vector.index.field_names
        key = reading.key
        members = {vector.field.field_name, key.field_name} if vector.field is not None and key is not None else set()
        if vector.category is not None:
            members.add(vector.category.field_name)
            yield from _category(vector, where)
        whole = len(given) in (KEY_AND_VECTOR, KEY_CATEGORY_AND_VECTOR) and sorted(given) == sorted(members)
        # An unknown field or key is said once, by the rule that it breaks.
        if not whole and key is not None and all(name in reading.fields for name in given):
            says = (
                f"the key {key.field_name!r}, a category field if wanted, and the vector field; not {', '.join(given)}"
            )
            yield finding("vector-index-fields", where, says)


def _category(vector: VectorReading, where: str) -> Iterator[Finding]:
    field = vector.category
    kind = None if field is None else field.stored_type
    if field is not None and kind is not None and not (kind.is_integer or kind is FieldType.STRING):
        says = f"the category field {field.field_name!r} is STRING or integer, not {field.field_type}"
        yield finding("category-field-type", where, says)


def vector_parameters(reading: Reading) -> Iterator[Finding]:
    for vector in reading.vectors:
        where, given = f"indexs.{vector.index.index_name}.parameters", vector.index.settings
        yield from _dimension(vector, f"{where}.dimension")
        if given.distance_type not in (None, *DISTANCES):
            says = f"no distance {given.distance_type!r} (distances: {', '.join(DISTANCES)})"
            yield finding("distance-type", f"{where}.distance_type", says)
        delimiter = given.embedding_delimiter
        if delimiter is not None and (not delimiter or _NO_DELIMITERS & set(delimiter)):
            says = f"{delimiter!r} cannot stand between the numbers of a vector"
            yield finding("embedding-delimiter", f"{where}.embedding_delimiter", says)


def graph_parameters(reading: Reading) -> Iterator[Finding]:
    for vector in reading.vectors:
        try:
            hnsw(vector.index.settings)
        except SchemaError as error:
            where = f"indexs.{vector.index.index_name}.parameters.build_index_params"
            yield finding("graph-parameters", where, str(error))


def _dimension(vector: VectorReading, where: str) -> Iterator[Finding]:
    given = vector.index.settings.dimension
    shown = "none" if given is None else repr(str(given)[:20])
    if vector.modelled and vector.dimension != MODEL_DIMENSION:
        says = f"a field with vector_model has {MODEL_DIMENSION} dimensions, not {shown}"
        yield finding("vector-dimension-512", where, says)
    elif not vector.modelled and vector.dimension is None:
        says = f"a dimension of 1 to {MAX_DIMENSION} is needed, not {shown}"
        yield finding("vector-dimension-range", where, says)


def searchable(reading: Reading) -> Iterator[Finding]:
    if not reading.vectors:
        yield finding("no-vector-index", "indexs", "no CUSTOMIZED index: nothing can be searched by vector")


INDEX_CHECKS = (
    template_used,
    index_types,
    index_fields,
    inverted_fields,
    primary_key,
    model_indexes,
    vector_members,
    vector_parameters,
    graph_parameters,
    searchable,
)
