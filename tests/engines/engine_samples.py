"""Tables, rows and queries in few words."""

from __future__ import annotations

import numpy as np

from engines.contract import PoolQuery, TableSpec
from havengate.types import PK, Compare, Field, Fingerprint, Literal, Row
from schemas.settings import TableSettings
from schemas.table import FieldSpec, FieldType, PictureSource, TableSchema, VectorIndex

ALL_KINDS = (
    ("i8", FieldType.INT8, False),
    ("i64", FieldType.INT64, False),
    ("u64", FieldType.UINT64, False),
    ("f", FieldType.FLOAT, False),
    ("d", FieldType.DOUBLE, False),
    ("s", FieldType.STRING, False),
    ("is", FieldType.INT64, True),
    ("us", FieldType.UINT64, True),
    ("fs", FieldType.FLOAT, True),
    ("ss", FieldType.STRING, True),
    ("m", FieldType.MAP, False),
    ("t", FieldType.TEXT, False),
    ("ts", FieldType.TEXT, True),
)


def make_schema(fields=ALL_KINDS, *, key=FieldType.INT64, indexes=(("vector", 2, "SquaredEuclidean"),)) -> TableSchema:
    """Key field ``id``; the vector field of index ``x`` is ``x_field``."""
    specs = [FieldSpec("id", key), *(FieldSpec(*field) for field in fields)]
    specs += [FieldSpec(f"{name}_field", FieldType.FLOAT, multi_value=True) for name, _, _ in indexes]
    return TableSchema(
        fields={spec.name: spec for spec in specs},
        primary_key="id",
        vector_indexes={name: VectorIndex(name, f"{name}_field", size, kind) for name, size, kind in indexes},
    )


CHANGED = make_schema(
    (("s", FieldType.STRING, False), ("f", FieldType.DOUBLE, False), ("more", FieldType.INT64, False))
)
"""A schema that rows of ``make_schema()`` can be copied into: FLOAT f is wider, most fields are gone, one is new."""


def make_spec(name="t", schema=None) -> TableSpec:
    return TableSpec(name, schema or make_schema(), {"table_name": name}, TableSettings(), {})


def full_spec(name="t") -> TableSpec:
    """A specification with something in every corner."""
    source = PictureSource("picture", "oss", "file:///pictures", "bucket")
    schema = TableSchema(
        fields={
            "id": FieldSpec("id", FieldType.UINT64),
            "picture": FieldSpec("picture", FieldType.STRING),
            "category": FieldSpec("category", FieldType.INT32, multi_value=True),
            "v": FieldSpec("v", FieldType.FLOAT, multi_value=True),
        },
        primary_key="id",
        vector_indexes={
            "vector": VectorIndex("vector", "v", 512, "InnerProduct", "category", "builtin", source, delimiter=";")
        },
    )
    vendor = {"table_name": name, "fields": [{"field_name": "图", "big": 2**64 - 1, "none": None, "half": 0.5}]}
    return TableSpec(name, schema, vendor, TableSettings(strict=True), {"vector": Fingerprint("space", "numerics")})


def vector(*numbers) -> np.ndarray:
    return np.array(numbers, np.float32)


def make_row(pk, vector_=None, source=None, *, index="vector", **fields) -> Row:
    vectors = {} if vector_ is None else {f"{index}_field": vector(*vector_)}
    sources = {} if source is None else {f"{index}_field": source}
    return Row(str(pk), {"id": pk, **fields}, vectors, sources)


def query(*vectors, n=10, index="vector", **rest) -> PoolQuery:
    return PoolQuery(index, np.array(vectors, np.float32), n, **rest)


def compare(field, op, value, path=None) -> Compare:
    return Compare(op, Field(field, path), Literal(value))


def keys(pool) -> list[str]:
    return pool.frame[PK].to_list()
