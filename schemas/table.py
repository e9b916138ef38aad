"""A table as the other rooms see it: typed fields, one primary key, vector indexes. Frozen, dialect-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

DistanceType = Literal["SquaredEuclidean", "InnerProduct"]
"""SquaredEuclidean: smaller is better. InnerProduct: larger is better."""

MAX_DIMENSION = 4096
MODEL_DIMENSION = 512
FLOAT32_MAX = 3.4028234663852886e38
"""Larger numbers are infinite in a stored vector or FLOAT field."""


class FieldType(StrEnum):
    """The vendor's field types that this version stores, and MAP: open key-values of our own."""

    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    STRING = "STRING"
    TEXT = "TEXT"
    MAP = "MAP"

    @property
    def is_integer(self) -> bool:
        return "INT" in self.value

    @property
    def is_number(self) -> bool:
        return self.is_integer or self in (FieldType.FLOAT, FieldType.DOUBLE)

    @property
    def is_string(self) -> bool:
        return self in (FieldType.STRING, FieldType.TEXT)

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value of an integer type."""
        bits = int(self.value.removeprefix("U").removeprefix("INT"))
        return (0, 2**bits - 1) if self.value.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    name: str
    type: FieldType
    multi_value: bool = False


@dataclass(frozen=True, slots=True)
class AccessKeys:
    """An AccessKey pair; neither half is ever shown."""

    id: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PictureSource:
    """Where the pictures of one STRING field are.

    kind "base64": the field holds the picture as Base64 text, kept in the blob store.
    kind "oss": the field holds a path inside ``bucket`` at ``endpoint``: the host of a store that speaks S3, or
    ``file://DIR``, a local folder. Without an endpoint that of the settings is meant, without ``keys`` those of the
    settings or the machine's own role.
    """

    field: str
    kind: Literal["base64", "oss"]
    endpoint: str = ""
    bucket: str = ""
    keys: AccessKeys | None = None


@dataclass(frozen=True, slots=True)
class Hnsw:
    """How to build a graph: neighbours of a node, and candidates looked at for a new one; None: the engine's own."""

    m: int | None = None
    ef_construction: int | None = None


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """One CUSTOMIZED index. ``model`` and ``source`` are None where clients push the vectors themselves."""

    name: str
    field: str
    dimension: int
    distance: DistanceType
    category_field: str | None = None
    model: str | None = None
    source: PictureSource | None = None
    delimiter: str = ","
    hnsw: Hnsw | None = None


TermIndexKind = Literal["TEXT", "STRING", "NUMBER"]


@dataclass(frozen=True, slots=True)
class TermIndex:
    """An inverted index: words of one or more TEXT fields (TEXT, PACK), whole texts of a STRING, or numbers.

    The primary key's index is a STRING or NUMBER one over the key.
    """

    name: str
    kind: TermIndexKind
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableSchema:
    """All fields by name in the schema's order (vector fields included), the key's name, indexes by name."""

    fields: Mapping[str, FieldSpec]
    primary_key: str
    vector_indexes: Mapping[str, VectorIndex]
    term_indexes: Mapping[str, TermIndex] = field(default_factory=dict)

    @property
    def key_type(self) -> FieldType:
        return self.fields[self.primary_key].type

    @property
    def vector_fields(self) -> Mapping[str, VectorIndex]:
        return {index.field: index for index in self.vector_indexes.values()}

    @property
    def attribute_fields(self) -> Mapping[str, FieldSpec]:
        """Every field but the vectors."""
        return {name: spec for name, spec in self.fields.items() if name not in self.vector_fields}

    @property
    def shown_fields(self) -> tuple[str, ...]:
        """What an answer holds unless it is asked for more: all but vectors and Base64 pictures."""
        return tuple(name for name in self.attribute_fields if name not in self.base64_fields)

    @property
    def base64_fields(self) -> frozenset[str]:
        """Fields whose values live in the blob store; rows hold a reference in their place."""
        sources = (index.source for index in self.vector_indexes.values())
        return frozenset(source.field for source in sources if source is not None and source.kind == "base64")
