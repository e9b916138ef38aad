"""What the objects make Dashboards ask is asked of a real OpenSearch, and its numbers are right."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from dashboard_requests import chart_request, discover_request
from dashboard_samples import EVERY_KIND, made, spec_of, vendor_of
from dashboards_types import fields_of
from opensearchpy import OpenSearch

from engines.opensearch.engine import OpenSearchEngine
from havengate.setting_groups import EngineSettings
from havengate.types import Row

HOUR = 3600
NOON = 1_700_000_000 // HOUR * HOUR


@pytest.fixture
def prefix():
    return f"test-{uuid.uuid4().hex[:12]}-"


@pytest.fixture
def client(opensearch_url, prefix):
    with OpenSearch([opensearch_url]) as client:
        yield client
        for name in ("change-history", "slow-searches"):
            client.indices.delete(index=f"{prefix}{name}", params={"ignore_unavailable": "true"})


@pytest.fixture
def engine(opensearch_url, prefix, client):  # noqa: ARG001  removes what is left
    settings = EngineSettings(kind="opensearch", hosts=opensearch_url, index_prefix=prefix, timeout_s=60)
    with OpenSearchEngine.open(settings) as engine:
        yield engine
        for name in engine.table_names():
            engine.drop_table(name)


@pytest.fixture
def ask(client):
    """The answer to what Dashboards asks for an object: each names its index by its index pattern."""

    def search(each, request):
        (index,) = [one["id"] for one in each["references"] if one["type"] == "index-pattern"]
        client.indices.refresh(index=index)
        return client.search(index=index, body=request)

    return search


def keyed(kind, *extra):
    key = {"field_name": "id", "field_type": kind}
    return spec_of("T", key, *extra)


def row(key, **fields):
    return Row(str(key), {"id": key, **fields}, {"vector": np.full(512, 0.5, np.float32)}, {})


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("INT64", [-(2**63), 0, 2**53 + 1, 2**63 - 1]),
        ("UINT64", [0, 2**53 + 1, 2**63 + 1, 2**64 - 1]),
        ("STRING", ["", "/a b/..", "a", "ü?#&=%2F"]),
    ],
)
def test_the_picture_is_the_rows_key_to_the_last_digit(engine, prefix, ask, kind, keys):
    spec = keyed(kind)
    engine.create_table(spec)
    engine.upsert("T", [row(key) for key in keys])
    export = made(spec, prefix=prefix)
    rows = export["search", "T.rows"]
    answer = ask(rows, discover_request(export["index-pattern", "T"], rows))
    assert [hit["fields"]["picture"] for hit in answer["hits"]["hits"]] == [[str(key)] for key in keys]


def test_people_see_the_schemas_fields_and_nothing_else(engine, prefix, ask):
    spec = spec_of("T", *EVERY_KIND, {"field_name": "_hidden", "field_type": "INT32"})
    engine.create_table(spec)
    values = {"title": "red tomato", "labels": ["hot"], "price": 1.5, "big": 2**64 - 1, "bigs": [1], "_hidden": 7}
    engine.upsert("T", [row(1, **values, tags={"colour": "red"}, vector_source_image="#1")])
    export = made(spec, prefix=prefix)
    rows = export["search", "T.rows"]
    (hit,) = ask(rows, discover_request(export["index-pattern", "T"], rows))["hits"]["hits"]
    del values["_hidden"]
    assert hit["_source"] == {
        **values,
        "id": 1,
        "tags": {"colour": "red"},
        "vector_source_image": "#1",
        "field-_hidden": 7,
    }


def test_the_patterns_fields_are_those_of_the_index(engine, prefix, client):
    spec = spec_of("T", *EVERY_KIND, {"field_name": "_hidden", "field_type": "INT32"})
    engine.create_table(spec)
    engine.publish("changes", "1", {"id": 1, "at": NOON})
    stages = dict.fromkeys(("wait", "parse", "embed", "engine", "pool", "format"), 0.5)
    engine.publish("slow-searches", "1", {"at": NOON, "took_ms": 1.0, "stages": stages})
    export = made(spec, prefix=prefix)
    for name in ("T", "change-history", "slow-searches"):
        told = client.field_caps(index=f"{prefix}{name}", params={"fields": "*"})["fields"]
        fields = fields_of(export["index-pattern", name])
        for field in fields.values():
            if not field["scripted"] and not field["name"].startswith("_"):
                (kind,) = field["esTypes"]
                capable = told[field["name"]][kind]
                assert (capable["searchable"], capable["aggregatable"]) == (field["searchable"], field["aggregatable"])
        here = {each for each, by_kind in told.items() if "object" not in by_kind}
        shown = {each for each in here if not each.startswith(("_", "hg-internal"))}
        assert shown == {each for each in fields if not each.startswith("_") and not fields[each]["scripted"]}


def test_words_are_found_by_people(engine, prefix, client):
    spec = spec_of("T", *EVERY_KIND)
    engine.create_table(spec)
    engine.upsert("T", [row(1, title="Red tomato"), row(2, title="green leaf")])
    name = "title-words"
    assert name in fields_of(made(spec, prefix=prefix)["index-pattern", "T"])
    query = {"query": {"query_string": {"query": f"{name}:TOMATO"}}}
    answer = client.search(index=f"{prefix}T", body=query)
    assert [hit["_source"]["id"] for hit in answer["hits"]["hits"]] == [1]


def test_rows_are_counted_by_category(engine, prefix, ask):
    spec = spec_of("T")
    engine.create_table(spec)
    engine.upsert("T", [row(key, cate_id=key % 3) for key in range(8)])
    chart = made(spec, prefix=prefix)["visualization", "T.categories"]
    (buckets,) = ask(chart, chart_request(chart))["aggregations"].values()
    assert {each["key"]: each["doc_count"] for each in buckets["buckets"]} == {0: 3, 1: 3, 2: 2}


def test_rows_are_counted_by_a_field_of_texts(engine, prefix, ask):
    vendor = vendor_of(
        fields=[
            {"field_name": "id", "field_type": "INT64"},
            {"field_name": "vector", "field_type": "FLOAT", "multi_value": True},
            {"field_name": "maker", "field_type": "STRING"},
        ],
        indexs=[
            {"index_name": "id", "index_type": "PRIMARYKEY64", "index_fields": "id"},
            {
                "index_name": "vector",
                "index_type": "CUSTOMIZED",
                "index_fields": [{"field_name": "id", "boost": 1}, {"field_name": "vector", "boost": 1}],
                "indexer": "aitheta2_indexer",
                "parameters": {"dimension": "512", "distance_type": "InnerProduct"},
            },
        ],
    )
    spec = spec_of("T", vendor=vendor)
    engine.create_table(spec)
    engine.upsert("T", [row(1, maker="a"), row(2, maker="b"), row(3, maker="b"), row(4)])
    chart = made(spec, prefix=prefix)["visualization", "T.categories"]
    (buckets,) = ask(chart, chart_request(chart))["aggregations"].values()
    assert [(each["key"], each["doc_count"]) for each in buckets["buckets"]] == [("b", 2), ("a", 1)]


CHANGES = [
    {"what": "push", "table": "T", "at": NOON + 10, "written": 5, "rejected": 1},
    {"what": "ingest", "table": "T", "at": NOON + 3000, "written": 100, "rejected": 0},
    {"what": "push", "table": "other", "at": NOON + 20, "written": 7, "rejected": 0},
    {"what": "push", "table": "T", "at": NOON + HOUR, "written": 2, "rejected": 0},
    {"what": "rebuild", "table": "T", "at": NOON + HOUR + 1, "written": 1000, "rejected": 3},
    {"what": "table created", "table": "T", "at": NOON, "written": 0, "rejected": 0},
]


@pytest.fixture
def history(engine):
    for number, change in enumerate(CHANGES):
        engine.publish("changes", str(number), {"id": number, "by": "me", "state": "done", **change})
    return engine


def sums(answer):
    """Hours after noon -> table -> sum."""
    hours = answer["aggregations"]["2"]["buckets"]
    return {
        (each["key"] // 1000 - NOON) // HOUR: {one["key"]: one["1"]["value"] for one in each["3"]["buckets"]}
        for each in hours
    }


@pytest.mark.usefixtures("history")
def test_rows_written_are_summed_by_hour_and_table(prefix, ask):
    chart = made(prefix=prefix)["visualization", "change-history.written"]
    assert sums(ask(chart, chart_request(chart))) == {0: {"T": 105, "other": 7}, 1: {"T": 2}}


@pytest.mark.usefixtures("history")
def test_rows_rejected_are_summed_by_hour_and_table(prefix, ask):
    chart = made(prefix=prefix)["visualization", "change-history.rejected"]
    assert sums(ask(chart, chart_request(chart))) == {0: {"T": 1}, 1: {"T": 3}}


@pytest.mark.usefixtures("history")
def test_charts_of_one_table_are_about_no_other(prefix, ask):
    export = made(prefix=prefix, tables=("other", "OR"))
    written = export["visualization", "change-history.written.OR.other"]
    assert sums(ask(written, chart_request(written))) == {0: {"other": 7}}
    rejected = export["visualization", "change-history.rejected.OR.other"]
    assert sums(ask(rejected, chart_request(rejected))) == {}


def test_slow_searches_have_percentiles(engine, prefix, ask):
    for number in range(1, 101):
        document = {"at": NOON + 60, "table": "T" if number <= 50 else "other", "took_ms": 1000.0 * number}
        engine.publish("slow-searches", str(number), document)
    for tables, median in (((), 50_500), (("T",), 25_500)):
        name = "slow-searches.latency" + "".join(f".{table}" for table in tables)
        chart = made(prefix=prefix, tables=tables)["visualization", name]
        (bucket,) = ask(chart, chart_request(chart))["aggregations"]["2"]["buckets"]
        values = bucket["1"]["values"]
        assert list(values) == ["50.0", "95.0", "99.0"]
        assert values["50.0"] == pytest.approx(median, rel=0.02)
