"""The vendor's template "Vector: Image Search": three sources of pictures, and the indexes a schema may leave out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from havengate.errors import SchemaError
from schemas.table import MODEL_DIMENSION
from schemas.vendor import VendorField, VendorIndex, VendorSchema

Kind = Literal["oss", "base64", "push"]
"""oss: a field names a picture's path in a bucket. base64: it holds the picture. push: base64, filled by API pushes."""

PICTURE_FIELD = "vector_source_image"
"""The preset picture field, and the vendor's default of vector_source_field."""
KEY_FIELD = "id"
_Json = Mapping[str, object]


def template(
    kind: Kind,
    *,
    model: str = "builtin",
    endpoint: str = "",
    bucket: str = "",
    extra_fields: Sequence[_Json] = (),
) -> VendorSchema:
    """The preset fields id, vector_source_image, cate_id and vector with both indexes.

    ``extra_fields`` are fields in the vendor's JSON; one with a preset's name takes its place. Raises
    SchemaError for a kind that is not known, and for an endpoint or a bucket outside the oss template.
    """
    if kind not in ("oss", "base64", "push"):
        raise SchemaError(f"no template {kind!r} (templates: oss, base64, push)")
    if kind != "oss" and (endpoint or bucket):
        raise SchemaError(f"template {kind}: endpoint and bucket belong to the template oss")
    oss = {"content_type": "oss", "oss_endpoint": endpoint, "oss_bucket": bucket} if kind == "oss" else {}
    fields = {str(field["field_name"]): dict(field) for field in (*_preset_fields(model, oss), *extra_fields)}
    # Pushes are searchable at once, which the vendor's index says with enable_rt_build.
    parameters = {"enable_rt_build": "true"} if kind == "push" else {}
    indexes = [_key_index(KEY_FIELD), _vector_index(KEY_FIELD, "vector", parameters)]
    return VendorSchema.model_validate({"fields": list(fields.values()), "indexs": indexes})


def complete(vendor: VendorSchema) -> VendorSchema:
    """The schema itself, or, where it has no indexs, a copy with the template's as far as the fields tell them."""
    key = key_candidate(vendor)
    if vendor.indexs or key is None:
        return vendor
    vectors = [_vector_index(key.field_name, field.field_name) for field in _vector_fields(vendor)]
    indexes = [VendorIndex.model_validate(index) for index in (_key_index(key.field_name), *vectors)]
    return vendor.model_copy(update={"indexs": indexes})


def key_candidate(vendor: VendorSchema) -> VendorField | None:
    """The field ``id``, else the only field that can be a key and is no picture; None when that is not decided."""
    pictures = {field.param.vector_source_field or PICTURE_FIELD for field in vendor.fields if field.model is not None}
    able = [
        field
        for field in vendor.fields
        if field.is_key_shaped and field.field_name not in pictures and field.param.content_type is None
    ]
    named = [field for field in able if field.field_name == KEY_FIELD]
    chosen = named or able
    return chosen[0] if len(chosen) == 1 else None


def _vector_fields(vendor: VendorSchema) -> list[VendorField]:
    modelled = [field for field in vendor.fields if field.model is not None]
    shaped = [field for field in vendor.fields if field.is_vector_shaped]
    return modelled or (shaped if len(shaped) == 1 else [])


def _preset_fields(model: str, oss: _Json) -> list[dict[str, Any]]:
    picture = {"user_defined_param": oss} if oss else {}
    source = {"vector_model": model, "vector_modal": "image", "vector_source_field": PICTURE_FIELD}
    return [
        {"field_name": KEY_FIELD, "field_type": "INT64", "compress_type": "equal"},
        {**picture, "field_name": PICTURE_FIELD, "field_type": "STRING", "compress_type": "uniq"},
        {"field_name": "cate_id", "field_type": "INT64", "compress_type": "equal"},
        {"user_defined_param": source, "field_name": "vector", "field_type": "FLOAT", "multi_value": True},
    ]


def _key_index(field: str) -> dict[str, Any]:
    return {
        "index_name": field,
        "index_type": "PRIMARYKEY64",
        "index_fields": field,
        "has_primary_key_attribute": True,
        "is_primary_key_sorted": False,
    }


def _vector_index(key: str, field: str, parameters: _Json | None = None) -> dict[str, Any]:
    return {
        "index_name": field,
        "index_type": "CUSTOMIZED",
        "index_fields": [{"field_name": name, "boost": 1} for name in (key, field)],
        "parameters": {
            "dimension": str(MODEL_DIMENSION),
            "distance_type": "SquaredEuclidean",
            "embedding_delimiter": ",",
            **(parameters or {}),
        },
        "indexer": "aitheta2_indexer",
    }
