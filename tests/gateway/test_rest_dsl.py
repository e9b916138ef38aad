"""POST /{table}/search: found, answered and refused like /query, in JSON by default."""

import gzip
import json
from dataclasses import replace

import pytest
from gateway_fakes import FakeServices, client_of
from hypothesis import given, settings
from hypothesis import strategies as st
from xml_answers import read_xml

from havengate.types import Row, TextPayload

QUERY = "vector:'cat&modal=text&n=10'"


def post(client, body, table="photos", **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(f"/{table}/search", data=data, headers=headers)


@pytest.mark.parametrize("table", ["photos", "general"])
def test_a_search_reaches_the_planner_whole(services, client, table):
    body = {
        "query": QUERY,
        "filter": "id>3",
        "config": {"start": 1, "hit": 3},
        "sort": [{"expression": "RANK", "order": "asc"}, {"expression": "id"}],
        "kvpairs": {"formula": "proxima_score(vector)"},
        "aggs": [{"group_key": "cate_id", "agg_fun": ["count()", "max(id)"]}],
        "distinct": {"dist_key": "cate_id", "dist_count": 2},
    }
    answer = post(client, body, table)
    assert answer.json["errors"] == [], answer.text
    assert answer.json["result"]["numHits"] == 1
    (plan,) = services.searcher.plans
    assert (plan.table, plan.offset, plan.limit, plan.query.payload) == ("photos", 1, 3, TextPayload("cat"))
    assert (plan.rank.proxima_index, [key.descending for key in plan.sort]) == ("vector", [False, True])
    assert [len(item.functions) for item in plan.aggregates] == [2]
    assert [item.count for item in plan.distinct] == [2]
    assert plan.filter is not None


def test_ampersands_in_a_text_are_no_clauses(services, client):
    assert post(client, {"query": "vector:'cat && dog&modal=text'"}).json["errors"] == []
    assert services.searcher.plans[0].query.payload == TextPayload("cat && dog")


def test_rows_are_fetched_by_key(services, client):
    services.documents.rows = [Row("7", {"id": 7})]
    body = {"summary": {"gids": ["photos:7,8"]}, "config": {"fetch_summary_type": "rawpk"}}
    answer = post(client, body)
    assert (answer.json["errors"], answer.json["result"]["totalHits"]) == ([], 1)
    assert answer.json["result"]["items"][0]["fields"] == {"id": "7"}


@pytest.mark.parametrize("config", [{"format": "xml"}, {"format": "xml", "hit": "many"}])
def test_xml_comes_when_it_is_asked_for(client, config):
    answer = post(client, {"query": QUERY, "config": config})
    assert answer.content_type == "text/xml; charset=utf-8"
    assert read_xml(answer.data).findtext("Error/ErrorCode") == ("0" if len(config) == 1 else "2")


def test_a_packed_body_is_unpacked(client):
    packed = gzip.compress(json.dumps({"query": QUERY}).encode())
    assert post(client, packed, **{"Content-Encoding": "gzip"}).json["errors"] == []


@pytest.mark.parametrize(
    ("table", "body", "code", "says"),
    [
        ("elsewhere", {"query": QUERY}, 1001, "photos"),
        ("%2C", {"query": QUERY}, 1001, "photos"),
        ("photos", {"query": QUERY, "cluster": ["elsewhere"]}, 1001, "photos"),
        ("photos", {"query": QUERY, "nope": 1}, 1056, "nope"),
        ("photos", {"query": ""}, 1051, ""),
        ("photos", {}, 1012, "query"),
        ("photos", [], 1002, "object"),
        ("photos", {"query": QUERY, "distinct": []}, 1002, "distinct: Input should be an object"),
        ("photos", {"query": QUERY, "cluster": "photos"}, 1002, "valid list, or Input should be an object"),
        ("photos", b"{", 1002, "JSON"),
        ("photos", {"query": QUERY, "filter": "id>"}, 1052, ""),
        ("photos", {"query": QUERY, "config": {"format": "protobuf"}}, 1007, "protobuf"),
        ("photos", {"query": QUERY, "config": {"start": 4999, "hit": 2}}, 1005, "5000"),
        ("photos", {"summary": {}}, 2080, ""),
        ("photos", {"summary": {"gids": ["photos"]}}, 2080, ""),
        ("photos", {"summary": {"gids": ["photos|6|0|0|0|00000000000000004cd645cfd1c63041|184140777"]}}, 2081, "rawpk"),
    ],
)
def test_errors_are_http_200_without_a_place_in_a_text_that_nobody_sent(client, table, body, code, says):
    answer = post(client, body, table)
    assert answer.status_code == 200
    (error,) = answer.json["errors"]
    assert (error["code"], "span" in error) == (code, False), error
    assert says in error["message"]
    assert answer.json["result"]["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"query": QUERY, "cluster": ["others"]},
        {"summary": {"gids": ["photos:7", "others:7"]}, "config": {"fetch_summary_type": "rawpk"}},
    ],
)
def test_a_table_that_is_not_the_path_s_is_refused(body):
    services = FakeServices()
    photos = services.tables.spec
    services.tables.resolve = lambda name, *_: replace(photos, name=name)
    (error,) = post(client_of(services), body).json["errors"]
    assert (error["code"], "others is not the table of the path, photos" in error["message"]) == (1004, True)


def test_a_query_over_the_limit_is_refused():
    client = client_of(FakeServices(limits={"query_chars": 1024}))
    assert "the most is 1024" in post(client, {"query": "x" * 1025}).json["errors"][0]["message"]


@pytest.mark.parametrize("path", ["/vector-service/search", "/photos/search/", "/a/b/search"])
def test_other_paths_are_not_shadowed(client, path):
    assert client.post(path, json={"query": QUERY}).status_code == 404


def test_the_plan_endpoint_keeps_its_path(client):
    assert "total" in client.post("/v1/tables/photos/search", json={}).json


KEYS = st.sampled_from(
    [
        "query",
        "filter",
        "config",
        "cluster",
        "aggs",
        "distinct",
        "sort",
        "layer",
        "analyzer",
        "cache",
        "summary",
        "rank",
        "kvpairs",
        "hit",
        "format",
        "group_key",
        "agg_fun",
        "dist_key",
        "expression",
        "AND",
        "match",
        "gids",
    ]
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=6),
        st.sampled_from(["json", "xml", "count()", "id", "RANK", "vector:'1,2'", "photos:1"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_body_is_answered(body):
    answer = post(client_of(FakeServices()), {"query": QUERY} | body)
    assert answer.status_code == 200, answer.text
    if answer.content_type.startswith("text/xml"):
        assert read_xml(answer.data).find("hits") is not None
    else:
        assert isinstance(answer.json["errors"], list)
        assert isinstance(answer.json["result"]["items"], list)
