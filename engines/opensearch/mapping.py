"""Table schema -> settings and mappings of its index. Pure.

Every attribute field stands at the top of a document under its own name, for people who look at the index: as it
compares, but for a MAP, which stands there as it came and is not indexed. What is the engine's own stands in one object
(INTERNAL), so that one pattern hides it:

row      the fields as they came, as JSON text: what is given back
words    the words of TEXT fields, one text for each value, made by engines/frames/words.py and parted by blanks; people
         find them as NAME-words
maps     MAP fields as tokens (tokens.py)
lengths  how many characters a text has, or values a field of several: doc values hold neither the rest of a long text
         nor equal values twice
ordered  the values of a number field of several in their order, as arithmetic reads them: Base64 of big-endian float64
         (doc values are sorted)
sources  content hashes of pictures by vector field
exact    vectors as Base64 of big-endian float32, with doc values: what scores are computed from
vectors  vectors for the approximate search; left out of _source, since ``exact`` says the same in a quarter

Words are cut here and not by an analyser of the cluster: which rows Match finds must not depend on the engine, nor
on the plugins and versions of the nodes. The whitespace analyser leaves them alone; a position gap between values
keeps a phrase inside one. People who search in Dashboards type whole texts: for those the standard analyser cuts
ideographs one by one, as our words are cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engines.codec import encode_spec
from schemas.table import FieldSpec, FieldType

if TYPE_CHECKING:
    from engines.contract import TableSpec
    from havengate.setting_groups import EngineSettings
    from schemas.table import TableSchema, VectorIndex

META = "havengate"
LAYOUT_META = "havengate-layout"
LAYOUT = 2
"""Of documents. Indexes of the first one, whose fields stood in an object ``fields``, have no such number."""
INTERNAL = "hg-internal"
"""The object of what is the engine's own: no field of a schema can be called so, as names have no hyphen."""
WINDOW = 10_000
"""Rows of one answer: index.max_result_window, and the largest n."""

_TYPES: Mapping[FieldType, str] = {
    FieldType.INT8: "byte",
    FieldType.INT16: "short",
    FieldType.INT32: "integer",
    FieldType.INT64: "long",
    FieldType.UINT8: "short",
    FieldType.UINT16: "integer",
    FieldType.UINT32: "long",
    FieldType.UINT64: "unsigned_long",
    FieldType.FLOAT: "float",
    FieldType.DOUBLE: "double",
    FieldType.STRING: "keyword",
    FieldType.TEXT: "keyword",
    FieldType.MAP: "keyword",
}
_SPACES = {"SquaredEuclidean": "l2", "InnerProduct": "innerproduct"}
_WORDS = {
    "type": "text",
    "analyzer": "whitespace",
    "search_analyzer": "standard",
    "position_increment_gap": 100,
    "norms": False,
}
_LENGTH = {"type": "integer", "index": False}
_BYTES = {"type": "binary", "doc_values": True}
_SHOWN_ONLY = {"type": "keyword", "index": False, "doc_values": False}


def index_body(spec: TableSpec, aliases: Iterable[str], settings: EngineSettings) -> dict[str, Any]:
    """The body that creates a generation's index with its aliases."""
    return {
        "settings": index_settings(settings),
        "mappings": {**mappings(spec, settings), "_meta": meta(spec)},
        "aliases": {alias: {} for alias in aliases},
    }


def copies(settings: EngineSettings) -> dict[str, Any]:
    """The setting that says how many copies an index's shards have."""
    replicas = settings.replicas
    return {"auto_expand_replicas": replicas} if "-" in replicas else {"number_of_replicas": int(replicas)}


def index_settings(settings: EngineSettings) -> dict[str, Any]:
    return {
        "index": {
            "knn": True,
            "number_of_shards": settings.shards,
            **copies(settings),
            "max_result_window": WINDOW,
            # Writers refresh when a call is complete; a refresh by the clock would show half of it.
            "refresh_interval": "-1",
        }
    }


def mappings(spec: TableSpec, settings: EngineSettings) -> dict[str, Any]:
    attributes, vectors = spec.schema.attribute_fields, spec.schema.vector_fields
    texts = [name for name, field in attributes.items() if has_words(field)]
    return {
        "dynamic": "strict",
        "_source": {"excludes": [internal("vectors")]},
        "properties": {
            **{shown_name(name): _shown(field) for name, field in attributes.items()},
            **{f"{shown_name(name)}-words": _words_alias(name) for name in texts},
            INTERNAL: _object(
                {
                    "row": _SHOWN_ONLY,
                    "words": _object(dict.fromkeys(texts, _WORDS)),
                    "maps": _object({name: _field(field) for name, field in attributes.items() if is_map(field)}),
                    "lengths": _object({name: _LENGTH for name, field in attributes.items() if has_length(field)}),
                    "ordered": _object({name: _BYTES for name, field in attributes.items() if has_order(field)}),
                    "sources": _object({name: {"type": "keyword"} for name in vectors}),
                    "exact": _object(dict.fromkeys(vectors, _BYTES)),
                    "vectors": _object({name: _vector(index, settings) for name, index in vectors.items()}),
                }
            ),
        },
    }


def internal(part: str, name: str = "") -> str:
    """The path of what is the engine's own: a part of INTERNAL, or what it holds of the field ``name``."""
    return f"{INTERNAL}.{part}.{name}" if name else f"{INTERNAL}.{part}"


def stored_path(field: FieldSpec) -> str:
    """Where an attribute field's values stand as they compare."""
    return internal("maps", field.name) if is_map(field) else shown_name(field.name)


def key_path(schema: TableSchema) -> str:
    return stored_path(schema.fields[schema.primary_key])


def shown_name(name: str) -> str:
    """What a field is called at the top of a document, where OpenSearch keeps names like _id for itself."""
    return f"field-{name}" if name.startswith("_") else name


def meta(spec: TableSpec) -> dict[str, Any]:
    """The whole specification as text (OpenSearch would round its large numbers), and the layout of documents."""
    return {META: encode_spec(replace(spec, name=spec.table)), LAYOUT_META: LAYOUT}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _shown(field: FieldSpec) -> dict[str, Any]:
    return {"type": "object", "enabled": False} if is_map(field) else _field(field)


def _words_alias(name: str) -> dict[str, Any]:
    return {"type": "alias", "path": internal("words", name)}


def _field(spec: FieldSpec) -> dict[str, Any]:
    mapped: dict[str, Any] = {"type": _TYPES[spec.type]}
    if spec.type is FieldType.UINT64 and spec.multi_value:
        # Doc values stand in the order of signed numbers, and OpenSearch (2.19.6) reads them as if it were the
        # unsigned one: beside a selective condition it then misses 1 in [1, 2**63]. The points are right.
        mapped["doc_values"] = False
    return mapped


def is_map(spec: FieldSpec) -> bool:
    return spec.type is FieldType.MAP


def has_words(spec: FieldSpec) -> bool:
    return spec.type is FieldType.TEXT


def has_length(spec: FieldSpec) -> bool:
    return spec.multi_value or spec.type.is_string


def has_order(spec: FieldSpec) -> bool:
    return spec.multi_value and spec.type.is_number


def _vector(index: VectorIndex, settings: EngineSettings) -> dict[str, Any]:
    method: dict[str, Any] = {"name": "hnsw", "engine": settings.knn_engine, "space_type": _SPACES[index.distance]}
    asked = {} if index.hnsw is None else {"m": index.hnsw.m, "ef_construction": index.hnsw.ef_construction}
    if given := {name: value for name, value in asked.items() if value is not None}:
        method["parameters"] = given
    return {"type": "knn_vector", "dimension": index.dimension, "method": method}
