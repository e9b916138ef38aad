"""Engines against the plain reference: random tables, writes, filters and queries."""

from __future__ import annotations

import uuid

import numpy as np
from engine_expressions import TEXTS, conditions, several, stored
from engine_reference import Reference
from engine_samples import ALL_KINDS, make_schema, make_spec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.contract import PoolQuery, RowsQuery
from havengate.types import PK, SCORE, Row
from schemas.table import FieldType

COORDINATES = st.integers(-3, 3).map(float)


@st.composite
def schemas(draw):
    kinds = draw(st.lists(st.sampled_from(ALL_KINDS), max_size=6, unique=True))
    key = draw(st.sampled_from([FieldType.INT64, FieldType.UINT64, FieldType.INT8, FieldType.STRING]))
    dimension = draw(st.integers(1, 5))
    indexes = (("vector", dimension, "SquaredEuclidean"), ("other", 2, "InnerProduct"))
    return make_schema(kinds, key=key, indexes=indexes)


def key_values(schema):
    if schema.key_type.is_string:
        return st.sampled_from(TEXTS)
    low, high = schema.key_type.bounds
    return st.sampled_from([low, high, *range(12)])


@st.composite
def rows(draw, schema, *, whole=True):
    key = draw(key_values(schema))
    fields = {"id": key} if whole or draw(st.booleans()) else {}
    for name, spec in schema.attribute_fields.items():
        if name != "id" and draw(st.booleans()):
            fields[name] = draw(several(spec.type) if spec.multi_value else stored(spec.type))
    vectors = {}
    for name, index in schema.vector_fields.items():
        if draw(st.integers(0, 3)):
            size = index.dimension
            vectors[name] = np.array(draw(st.lists(COORDINATES, min_size=size, max_size=size)), np.float32)
    return Row(
        str(key), fields, vectors, {name: draw(st.sampled_from("pqr")) for name in vectors if draw(st.booleans())}
    )


@st.composite
def queries(draw, schema):
    index = draw(st.sampled_from(list(schema.vector_indexes.values())))
    size = index.dimension
    vectors = draw(st.lists(st.lists(COORDINATES, min_size=size, max_size=size), min_size=1, max_size=3))
    return PoolQuery(
        index.name,
        np.array(vectors, np.float32),
        draw(st.integers(1, 8)),
        score_threshold=draw(st.none() | st.integers(-4, 12).map(float)),
        filter=draw(st.none() | conditions(schema)),
        filter_mode=draw(st.sampled_from(["pre", "post"])),
    )


def write(data, schema, target, reference):
    """One random write on both; their answers are the same."""
    kind = data.draw(st.sampled_from(["upsert", "upsert", "update_fields", "delete"]))
    if kind == "delete":
        change = list(map(str, data.draw(st.lists(key_values(schema), max_size=4))))
    else:
        change = data.draw(st.lists(rows(schema, whole=kind == "upsert"), max_size=10))
    assert getattr(target, kind)(change) == getattr(reference, kind)(change)


class Bound:
    """An engine's calls on one table."""

    def __init__(self, engine, name):
        self._engine, self._name = engine, name

    def __getattr__(self, call):
        return lambda *rest: getattr(self._engine, call)(self._name, *rest)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_engine_answers_as_the_reference_does(engine, data):
    schema = data.draw(schemas())
    name = f"t{uuid.uuid4().hex}"
    engine.create_table(make_spec(name, schema))
    table, reference = Bound(engine, name), Reference(schema)
    for _ in range(data.draw(st.integers(1, 4))):
        write(data, schema, table, reference)
    for _ in range(3):
        query = data.draw(queries(schema))
        pool = table.pool(query)
        assert (list(zip(pool.frame[PK], pool.frame[SCORE], strict=True)), pool.matched) == reference.pool(query)
        found = table.rows(RowsQuery(query.filter, tuple(schema.attribute_fields)))
        assert found.frame[PK].to_list() == [row.pk for row in reference.matching(query.filter)]
        assert found.matched == found.frame.height
    fetched = table.fetch(list(reference.rows), list(schema.vector_fields))
    assert {pk: comparable(row) for pk, row in fetched.items()} == {
        pk: comparable(row) for pk, row in reference.rows.items()
    }
    engine.drop_table(name)


def comparable(row):
    return row.pk, dict(row.fields), {name: vector.tolist() for name, vector in row.vectors.items()}, dict(row.sources)
