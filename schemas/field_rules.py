"""Rules about fields: names, types, models and where their pictures are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from schemas.findings import Finding, finding
from schemas.oss_rules import stored_pictures
from schemas.reading import Reading, source_name
from schemas.table import FieldType
from schemas.vendor import TYPE_ALIASES, VendorField

if TYPE_CHECKING:
    from collections.abc import Iterator

MODELS = ("builtin", "clip", "clip_ecom")
"""The models of this version. Others are a user's own, in a catalogue that a schema knows nothing of."""
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEYWORDS = frozenset({"AND", "OR", "ANDNOT", "RANK"})


def _param(field: VendorField, key: str) -> str:
    return f"fields.{field.field_name}.user_defined_param.{key}"


def fields_present(reading: Reading) -> Iterator[Finding]:
    if not reading.fields:
        # The vendor's console exports its schemas inside an object of that name.
        inside = ' (take what stands inside "schema")' if "schema" in reading.schema.extra_keys else ""
        yield finding("fields-missing", "fields", f"the schema has no fields{inside}")


def names(reading: Reading) -> Iterator[Finding]:
    schema = reading.schema
    groups = {"fields": [f.field_name for f in schema.fields], "indexs": [i.index_name for i in schema.indexs]}
    for group, members in groups.items():
        for place, name in enumerate(members):
            where = f"{group}.{name}" if name else f"{group}[{place}]"
            if _IDENTIFIER.fullmatch(name) is None:
                says = f"{name!r} is not a letter or _ followed by letters, digits and _"
                yield finding("name-identifier", where, says)
            if name in _KEYWORDS:
                yield finding("name-identifier", where, f"{name} is a word of the query language")
            if members.index(name) < place:
                yield finding("name-unique", where, f"{name!r} is there already")


def types(reading: Reading) -> Iterator[Finding]:
    known = ", ".join((*FieldType, *TYPE_ALIASES))
    for field in reading.schema.fields:
        where = f"fields.{field.field_name}.field_type"
        if field.stored_type is None:
            says = f"{field.field_type!r} is not a type that this version stores (types: {known})"
            yield finding("field-type", where, says)
        elif field.stored_type is FieldType.MAP and field.multi:
            yield finding("field-type", where, "a MAP holds many values as it is; it is not multi_value")


def vector_shape(reading: Reading) -> Iterator[Finding]:
    for field in reading.vector_fields:
        if not field.is_vector_shaped:
            many = "" if field.multi else "not "
            says = f"a vector field is FLOAT and multi_value, not {field.field_type} and {many}multi_value"
            yield finding("vector-field-type", f"fields.{field.field_name}", says)


def models(reading: Reading) -> Iterator[Finding]:
    for field in _modelled(reading):
        where = _param(field, "vector_model")
        if field.model not in MODELS:
            says = (
                f"{field.model!r} is none of {', '.join(MODELS)}: the catalogue has to have it (`havengate models add`)"
            )
            yield finding("vector-model-own", where, says)
        if field.param.vector_modal not in (None, "image"):
            says = f"{field.param.vector_modal!r} is not image, the only source of vectors"
            yield finding("vector-modal", _param(field, "vector_modal"), says)


def sources(reading: Reading) -> Iterator[Finding]:
    for field in _modelled(reading):
        where, named, picture = _param(field, "vector_source_field"), source_name(field), reading.picture_of(field)
        if picture is None:
            strings = [f.field_name for f in reading.fields.values() if f.stored_type is FieldType.STRING]
            says = f"no field {named!r} (STRING fields: {', '.join(strings) or 'none'})"
            yield finding("vector-source-unknown", where, says)
        elif picture.field_name != named:
            says = f"no field {named!r}: {picture.field_name!r}, the only field for pictures, is taken"
            yield finding("vector-source-resolved", where, says)


def pictures(reading: Reading) -> Iterator[Finding]:
    found = {p.field_name: p for f in _modelled(reading) if (p := reading.picture_of(f)) is not None}
    for picture in found.values():
        if picture.stored_type is not FieldType.STRING or picture.multi:
            many = " and multi_value" if picture.multi else ""
            says = f"a picture field is one STRING, not {picture.field_type}{many}"
            yield finding("picture-field-string", f"fields.{picture.field_name}", says)
        yield from _content(picture)


def _content(picture: VendorField) -> Iterator[Finding]:
    kind = picture.param.content_type
    if kind == "oss":
        yield from stored_pictures(picture.param, f"fields.{picture.field_name}.user_defined_param")
    elif kind is not None:
        says = f"{kind!r} is not oss (leave content_type out for pictures as Base64)"
        yield finding("picture-content-type", _param(picture, "content_type"), says)


def _modelled(reading: Reading) -> list[VendorField]:
    return [field for field in reading.fields.values() if field.model is not None]


FIELD_CHECKS = (fields_present, names, types, vector_shape, models, sources, pictures)
