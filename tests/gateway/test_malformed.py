"""Whatever is sent: no 5xx, nothing but JSON, no redirect."""

import json

import pytest
from gateway_fakes import FakeServices, client_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st


def _path(text):
    """The test client takes what follows two slashes for a host name, and some cannot be one."""
    return "/" + text.lstrip("/\\")


PATHS = st.one_of(
    st.sampled_from(
        [
            "/query",
            "/query/",
            "//query",
            "/query?query=",
            "/query?sql=1",
            "/update/photos/actions/bulk",
            "/update//actions/bulk",
            "/vector-service/fetch",
            "/v1/tables/photos/search",
            "/network/active",
            "/readyz",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="#"), max_size=20).map(_path),
)
CLAUSES = st.sampled_from(
    [
        "query=",
        "query=vector:'",
        "query=vector:'1,2&n=3'",
        "config=start:0,hit:x",
        "filter=((",
        "filter=a=1",
        "sort=+RANK",
        "sort=",
        "kvpairs=a",
        "&&",
        "cluster=x",
        "attribute=nothing",
        "\x00",
        "👍",
    ]
)
HA_TEXTS = st.one_of(st.text(max_size=60), st.lists(CLAUSES, max_size=6).map("&&".join))
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["assemblyQuery", "ids", "tableName", "cmd", "fields", "query", "filter", "sort", "limit"])
BODIES = st.one_of(
    st.binary(max_size=60),
    JSON_VALUES.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(KEYS, st.one_of(HA_TEXTS, JSON_VALUES), max_size=4).map(lambda value: json.dumps(value).encode()),
    st.lists(st.dictionaries(KEYS, JSON_VALUES, max_size=3), max_size=3).map(lambda value: json.dumps(value).encode()),
)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Content-Type", "Content-Encoding", "Authorization", "X-Opensearch-Request-ID", "X-Opensearch-Swift-PK-Field"]
    ),
    st.one_of(
        st.sampled_from(["gzip", "deflate", "application/json", "Basic None", "id"]), st.text("ab\x7f é:", max_size=8)
    ),
)


@pytest.fixture(scope="module")
def client():
    return client_of(FakeServices())


def assert_sound(answer):
    assert 200 <= answer.status_code < 300 or 400 <= answer.status_code < 500, answer.text
    assert answer.content_type.startswith("application/json")
    json.loads(answer.data)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(method=METHODS, path=PATHS, body=BODIES, headers=HEADERS)
def test_any_request_is_answered_in_json(client, method, path, body, headers):
    assert_sound(client.open(path, method=method, data=body, headers=headers))


@settings(max_examples=500, deadline=None)
@given(text=HA_TEXTS, by_get=st.booleans())
@example(text="query=" + "(" * 5000, by_get=False)
@example(text="query=" + "a OR " * 5000 + "a", by_get=False)
@example(text="query=a&&filter=" + "(" * 5000, by_get=False)
@example(text="query=a&&filter=" + "a=1 AND " * 5000 + "a=1", by_get=False)
def test_any_query_is_answered_with_errors_or_a_result(client, text, by_get):
    answer = (
        client.get("/query", query_string={"query": text})
        if by_get
        else client.post("/query", json={"assemblyQuery": text})
    )
    assert_sound(answer)
    assert answer.status_code == 200
    assert isinstance(answer.json["errors"], list)
    assert isinstance(answer.json["result"]["items"], list)


@pytest.mark.parametrize("path", ["/", "/nothing", "/query/", "//query", "/static/x", "/network/active/"])
def test_an_unknown_path_is_404(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json["code"]) == (404, "404")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/query"), ("OPTIONS", "/query"), ("GET", "/vector-service/fetch")]
)
def test_another_method_is_405_and_says_which_there_are(client, method, path):
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.json["code"]) == (405, "405")
    assert "POST" in answer.headers["Allow"]
