"""Whatever is sent: no 5xx, nothing but JSON and the engine's XML, no redirect."""

import json

import pytest
from gateway_fakes import FakeServices, client_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_requests import HA_TEXTS
from xml_answers import read_xml


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
    if answer.content_type == "text/xml; charset=utf-8":
        assert read_xml(answer.data).find("Error/ErrorCode") is not None
    else:
        assert answer.content_type == "application/json; charset=utf-8"
        json.loads(answer.data)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(method=METHODS, path=PATHS, body=BODIES, headers=HEADERS)
def test_any_request_is_answered(client, method, path, body, headers):
    assert_sound(client.open(path, method=method, data=body, headers=headers))


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
