"""What a person sees of a table in the cluster itself: its fields by their names, its words, and versions apart."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from engine_samples import make_row, make_schema, make_spec
from hypothesis import example, given
from hypothesis import strategies as st
from opensearchpy import OpenSearch

from engines.checks import rounded
from engines.opensearch.documents import document
from engines.opensearch.engine import OpenSearchEngine
from engines.opensearch.mapping import INTERNAL, LAYOUT_META, META
from havengate.errors import UnfitTable
from havengate.setting_groups import EngineSettings
from havengate.types import Row
from schemas.table import FieldType

SCHEMA = make_schema(
    (
        ("price", FieldType.FLOAT, False),
        ("_id", FieldType.INT64, False),
        ("title", FieldType.TEXT, False),
        ("more", FieldType.MAP, False),
        ("sizes", FieldType.FLOAT, True),
    )
)
FIELDS = {"id": 1, "price": 19.9, "_id": 7, "title": "Red helmets 红色头盔", "more": {"a": [1, "b"]}, "sizes": [0.1, 5]}


@pytest.fixture
def settings(opensearch_url):
    return EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60)


@pytest.fixture
def engine(settings):
    with OpenSearchEngine.open(settings) as engine:
        engine.create_table(make_spec(schema=SCHEMA))
        engine.upsert("t", [Row("1", FIELDS, make_row(1, (1, 0)).vectors)])
        yield engine
        engine.drop_table("t")


@pytest.fixture
def client(opensearch_url):
    with OpenSearch([opensearch_url]) as client:
        yield client


def found(client, settings, query):
    return client.search(index=f"{settings.index_prefix}t", body={"query": query})["hits"]["hits"]


def test_a_document_shows_the_fields_and_one_object_beside_them(engine, client, settings):  # noqa: ARG001
    (hit,) = found(client, settings, {"match_all": {}})
    shown = {name: value for name, value in hit["_source"].items() if name != INTERNAL}
    assert shown == {"field-_id" if name == "_id" else name: value for name, value in FIELDS.items()}
    assert "vectors" not in hit["_source"][INTERNAL]


@pytest.mark.parametrize(
    "typed",
    [
        {"match": {"title-words": "HELMETS"}},
        {"match": {"title-words": "头盔"}},
        {"query_string": {"query": "title-words:helmets AND price:[19 TO 20]", "analyze_wildcard": True}},
        {"query_string": {"query": 'title:"Red helmets 红色头盔" AND field-_id:7'}},
        {"query_string": {"query": "title:*helmet*"}},
        {"multi_match": {"query": "helmets", "lenient": True, "type": "best_fields"}},
        {"exists": {"field": "title-words"}},
    ],
    ids=str,
)
def test_people_find_a_text_by_its_words(engine, client, settings, typed):  # noqa: ARG001
    assert len(found(client, settings, typed)) == 1


def test_a_number_of_32_bits_is_shown_as_short_as_it_may_be():
    numbers = [0.1, -0.0, 16777217, 3.4e38, 1e-45, 1 / 3]
    shown = document(SCHEMA, make_row(1, sizes=numbers))["sizes"]
    assert [str(number) for number in shown] == ["0.1", "0.0", "16777216.0", "3.4e+38", "1e-45", "0.33333334"]


def test_an_index_of_the_layout_before_is_refused_until_it_is_dropped(engine, client, settings):
    told = client.indices.get_mapping(index=f"{settings.index_prefix}t")
    ((index, content),) = told.items()
    before = {META: content["mappings"]["_meta"][META]}
    client.indices.put_mapping(index=index, body={"_meta": before})
    engine._catalog.forget("t")
    for call in (
        engine.stats,
        engine.table,
        lambda name: engine.fetch(name, ["1"]),
        lambda name: engine.table(f"{name}@g1"),
    ):
        with pytest.raises(UnfitTable, match=r"made by an older version.*table backup.*drop it.*docs/upgrading\.md"):
            call("t")
    assert LAYOUT_META not in client.indices.get_mapping(index=index)[index]["mappings"]["_meta"]
    assert engine.table_names() == ["t"]
    engine.drop_table("t")
    engine.create_table(make_spec(schema=SCHEMA))
    assert engine.stats("t").rows == 0


@given(st.one_of(st.floats(allow_nan=False), st.floats(width=32, allow_nan=False), st.integers(-(2**200), 2**200)))
@example(3.4028235677973366e38)
@example(3.4028235677973362e38)
@example(-1e-46)
def test_numbers_of_32_bits_are_rounded_as_numpy_rounds_them(number):
    with np.errstate(over="ignore"):
        near = float(np.float32(number))
    assert repr(rounded(number, single=True)) == repr(near)
