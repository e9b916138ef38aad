"""Warnings about keys that are kept as they came but do here something else than at the vendor's, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from havengate.errors import SchemaError
from schemas.findings import Finding, finding
from schemas.graph import LIMITS, asks_for_hnsw, build_parameters
from schemas.vendor import UserDefinedParam, VendorField, VendorIndex, is_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from schemas.reading import Reading

VECTOR_PARAMS = frozenset({"vector_model", "vector_modal", "vector_source_field"})
PICTURE_PARAMS = frozenset({"content_type", "oss_endpoint", "oss_bucket", "oss_access_key", "oss_secret"})
ROLE_PARAMS = frozenset({"oss_use_slr", "uid"})
# What these ask for is storage layout, or holds here anyway: silence about them hides nothing.
HARMLESS_FIELD_KEYS = frozenset({"compress_type", "uniq_encode"})
HARMLESS_INDEX_KEYS = frozenset(
    {"indexer", "has_primary_key_attribute", "is_primary_key_sorted", "pk_storage_type", "pk_hash_type"}
)
HARMLESS_PARAMETERS = frozenset({"enable_rt_build"})
GRAPH_KEYS = frozenset({"vector_index_type", "build_index_params"})
HARMLESS_TABLE_KEYS = frozenset({"table_name"})


def _ignored(where: str, keys: Iterable[str]) -> Iterator[Finding]:
    names = ", ".join(sorted(keys))
    if names:
        yield finding("parameter-ignored", where, f"kept, but without effect in this version: {names}")


def field_keys(reading: Reading) -> Iterator[Finding]:
    pictures = {id(vector.picture) for vector in reading.vectors}
    for field in reading.schema.fields:
        where = f"fields.{field.field_name}"
        yield from _ignored(where, field.extra_keys - HARMLESS_FIELD_KEYS)
        if field.user_defined_param is not None:
            yield from _advanced(field, f"{where}.user_defined_param", is_picture=id(field) in pictures)


def _advanced(field: VendorField, where: str, *, is_picture: bool) -> Iterator[Finding]:
    keys = _given(field.param)
    meant = PICTURE_PARAMS if is_picture else VECTOR_PARAMS if field.model is not None else frozenset[str]()
    secrets = {key for key in keys if is_secret(key)}
    if secrets:
        used = "" if is_picture and field.param.has_keys and field.param.content_type == "oss" else ", not used"
        says = f"{', '.join(sorted(secrets))}: never shown{used}; secrets belong in the environment"
        yield finding("secret-in-schema", where, says)
    if field.param.extra_value("crop") not in (None, False, "false"):
        yield finding("crop", f"{where}.crop", "pictures are not cropped in this version")
    if roles := keys & ROLE_PARAMS:
        count = "the keys beside count" if field.param.has_keys else "keys of the settings or the machine's role count"
        says = f"{', '.join(sorted(roles))}: no role of the vendor's is taken; {count}"
        yield finding("oss-role", where, says)
    yield from _ignored(where, keys - meant - secrets - ROLE_PARAMS - {"crop"})


def _given(param: UserDefinedParam) -> frozenset[str]:
    known = (key for key in VECTOR_PARAMS | PICTURE_PARAMS if getattr(param, key) is not None)
    return param.extra_keys | frozenset(known)


def index_keys(reading: Reading) -> Iterator[Finding]:
    inverted = [reading.index for reading in reading.inverted]
    for index in reading.schema.indexs:
        where = f"indexs.{index.index_name}"
        if index.kind in ("primary", "vector") or index in inverted:
            yield from _ignored(where, index.extra_keys - HARMLESS_INDEX_KEYS)
            yield from _ignored(f"{where}.parameters", index.settings.extra_keys - HARMLESS_PARAMETERS - GRAPH_KEYS)
            yield from _graph(index, f"{where}.parameters")
        if index in inverted and len(boosts := _boosts(index)) > 1:
            says = f"fields weigh alike in this version: boosts {', '.join(boosts)}"
            yield finding("parameter-ignored", f"{where}.index_fields", says)


def _graph(index: VendorIndex, where: str) -> Iterator[Finding]:
    given = index.settings
    if not asks_for_hnsw(given):
        yield from _ignored(where, given.extra_keys & GRAPH_KEYS)
        return
    try:
        yield from _ignored(f"{where}.build_index_params", build_parameters(given).keys() - LIMITS.keys())
    except SchemaError:
        return  # the rule graph-parameters says so


def _boosts(index: VendorIndex) -> list[str]:
    """Different ones; alike they change nothing."""
    fields = index.index_fields
    return [] if isinstance(fields, str) else sorted({str(field.extra_value("boost")) for field in fields})


def table_keys(reading: Reading) -> Iterator[Finding]:
    yield from _ignored("schema", reading.schema.extra_keys - HARMLESS_TABLE_KEYS)


UNUSED_CHECKS = (field_keys, index_keys, table_keys)
