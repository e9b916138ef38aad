"""A cluster that misbehaves: what is repeated, and what is told with what to do."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
import uuid

import pytest
from engine_samples import compare, keys, make_row, make_spec, query
from opensearch_server.proxy import Proxy
from opensearchpy import OpenSearch

from engines.contract import RowsQuery
from engines.opensearch.engine import OpenSearchEngine
from engines.opensearch.mapping import INTERNAL
from havengate.errors import EngineError, RequestError, SettingsError, TableExists
from havengate.setting_groups import EngineSettings
from havengate.settings import Settings, describe_settings

BULK, SEARCH = "/_bulk", "search"
ROWS = [make_row(number, (number, 0), i64=number) for number in range(5)]


def engine_settings(*urls, **rest):
    prefix = rest.pop("index_prefix", f"test-{uuid.uuid4().hex[:12]}-")
    return EngineSettings(kind="opensearch", hosts=",".join(urls), index_prefix=prefix, **rest)


@pytest.fixture
def proxy(opensearch_url):
    with Proxy(opensearch_url) as proxy:
        yield proxy


@pytest.fixture
def engine(proxy, opensearch_url):
    """A table with five rows, through the proxy."""
    settings = engine_settings(proxy.url, timeout_s=20)
    with OpenSearchEngine.open(settings) as engine:
        engine.create_table(make_spec())
        engine.upsert("t", ROWS)
        yield engine
    with OpenSearchEngine.open(settings.model_copy(update={"hosts": opensearch_url})) as engine:
        engine.drop_table("t")


@pytest.fixture
def raw(opensearch_url):
    client = OpenSearch(opensearch_url)
    yield client
    client.close()


@pytest.fixture
def index(engine, raw):
    (name,) = raw.indices.get(index=f"{engine._settings.index_prefix}*")
    return name


def first(what, times, *parts):
    """Trouble of the first so many requests whose path has one of the parts."""
    left = [what] * times
    return lambda path: left.pop() if left and any(part in path for part in parts) else None


@pytest.mark.parametrize("what", ["drop", "lose", "cut", (429, {}), (503, {}), (502, {})])
def test_a_write_in_trouble_is_made_once_and_counted_right(engine, proxy, what):
    proxy.trouble = first(what, 2, BULK)
    engine.upsert("t", [make_row(7, (7, 0))])
    proxy.trouble = first(what, 2, BULK)
    assert engine.update_fields("t", [make_row(7, (8, 0)), make_row(8, (0, 0))]) == ["8"]
    proxy.trouble = first(what, 2, BULK)
    assert engine.delete("t", ["0", "1", "99"]) == 2
    proxy.trouble = lambda _: None
    assert sorted(keys(engine.rows("t", RowsQuery()))) == ["2", "3", "4", "7"]
    assert engine.fetch("t", ["7"], ["vector_field"])["7"].vectors["vector_field"].tolist() == [8, 0]


def test_a_table_whose_answer_was_lost_is_made_once(engine, proxy):
    proxy.trouble = first("lose", 1, "u-g1")
    engine.create_table(make_spec("u"))
    assert engine.table_names() == ["t", "u"]
    with pytest.raises(TableExists):
        engine.create_table(make_spec("u"))
    engine.drop_table("u")


@pytest.mark.parametrize("what", ["drop", "lose", "cut", (502, {}), (503, {})])
def test_a_read_in_trouble_is_asked_again(engine, proxy, what):
    proxy.trouble = first(what, 2, SEARCH)
    assert keys(engine.pool("t", query((0, 0), n=2, filter=compare("i64", ">", 0)))) == ["1", "2"]


def test_what_is_larger_than_the_cluster_takes_is_the_requests_fault(engine, proxy):
    proxy.trouble = lambda _: (413, "")
    for call in (lambda: engine.pool("t", query((0, 0))), lambda: engine.upsert("t", ROWS)):
        with pytest.raises(RequestError, match="larger than the cluster takes"):
            call()


GONE = {"type": "node_disconnected_exception", "reason": "disconnected"}
# As a search answers while the node that held its shard goes away.
DISCONNECTED = (
    500,
    {"error": {"type": "search_phase_execution_exception", "reason": "", "caused_by": GONE}, "status": 500},
)


def test_a_search_whose_node_went_away_is_asked_again(engine, proxy):
    proxy.trouble = first(DISCONNECTED, 3, SEARCH)
    assert keys(engine.pool("t", query((0, 0), n=2))) == ["0", "1"]


def test_a_row_whose_shard_cannot_answer_is_not_taken_for_missing(engine, proxy):
    away = {"_id": "1", "error": {"type": "no_shard_available_action_exception", "reason": "nobody has it"}}
    proxy.trouble = first((200, {"docs": [away]}), 2, "/_mget")
    assert engine.update_fields("t", [make_row(1, (9, 9))]) == []
    assert engine.fetch("t", ["1"], ["vector_field"])["1"].vectors["vector_field"].tolist() == [9, 9]


def test_trouble_that_stays_is_told_within_the_timeout(engine, proxy):
    patient = engine_settings(proxy.url, index_prefix=engine._settings.index_prefix, timeout_s=1)
    with OpenSearchEngine.open(patient) as other:
        other.fetch("t", ["1"])
        proxy.trouble = lambda path: (429, {"error": {"type": "circuit_breaking_exception"}}) if BULK in path else None
        began = time.monotonic()
        with pytest.raises(EngineError, match=r"1 of 1 rows were not written.*short of memory.*repeated"):
            other.upsert("t", ROWS[:1])
        proxy.trouble = lambda _: DISCONNECTED
        with pytest.raises(EngineError, match="node_disconnected"):
            other.fetch("t", ["1"])
        assert time.monotonic() - began < 20


def test_a_server_that_never_answers_is_given_up_after_one_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with OpenSearchEngine.open(engine_settings(url, timeout_s=0.5)) as engine:
            began = time.monotonic()
            with pytest.raises(EngineError, match="did not answer in time"):
                engine.table_names()
            assert time.monotonic() - began < 10


def test_nodes_that_are_away_cost_a_request_to_the_next(engine, proxy):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{closed.getsockname()[1]}"
        settings = engine_settings(away, proxy.url, index_prefix=engine._settings.index_prefix)
        with OpenSearchEngine.open(settings) as other:
            for _ in range(4):
                assert set(other.fetch("t", ["1", "2"])) == {"1", "2"}


@pytest.mark.parametrize("page", ["<html>Not found</html>", '{"code": "404", "message": "no such path"}'])
def test_an_error_that_is_not_opensearchs_is_told(proxy, page):
    proxy.trouble = lambda _: (404, page)
    with (
        OpenSearchEngine.open(engine_settings(proxy.url)) as engine,
        pytest.raises(EngineError, match="no OpenSearch, or something before it; check HAVENGATE_ENGINE__HOSTS"),
    ):
        engine.table_names()


@pytest.mark.parametrize("page", ["<html>Please log in</html>", ""])
def test_a_page_that_is_no_answer_of_opensearch_is_told(engine, proxy, page):
    calls = (
        lambda: engine.pool("t", query((0, 0))),
        lambda: engine.rows("t", RowsQuery()),
        lambda: engine.upsert("t", ROWS),
        lambda: engine.update_fields("t", ROWS),
        engine.table_names,
    )
    proxy.trouble = lambda _: (200, page)
    for call in calls:
        with pytest.raises(EngineError, match="the server is not OpenSearch"):
            call()


def test_an_alias_of_two_indexes_is_refused(engine, raw, index):
    raw.indices.create(index=f"{index}-copy", body={"aliases": {f"{engine._settings.index_prefix}t": {}}})
    try:
        engine._catalog.forget("t")
        with pytest.raises(EngineError, match=r"leads to several indexes: .*-copy; remove it"):
            engine.fetch("t", ["1"])
    finally:
        raw.indices.delete(index=f"{index}-copy")
    assert set(engine.fetch("t", ["1"])) == {"1"}


def test_an_index_with_another_mapping_is_refused(engine, raw, index):
    body = raw.indices.get(index=index)[index]
    properties = body["mappings"]["properties"]
    properties["i64"] = {"type": "keyword"}
    own = properties[INTERNAL]["properties"]
    own["vectors"]["properties"]["vector_field"]["dimension"] = 3
    del own["row"]
    mappings = body["mappings"] | {"dynamic": "true"}
    raw.indices.delete(index=index)
    settings = {"index.knn": True, "number_of_replicas": 0}
    raw.indices.create(index=index, body={"mappings": mappings, "aliases": body["aliases"], "settings": settings})
    engine._catalog.forget("t")
    with pytest.raises(
        EngineError, match=r"dynamic is true.*hg-internal.row is missing.*drop the table and make it again"
    ):
        engine.fetch("t", ["1"])


def test_blocks_and_red_indexes_are_told_with_what_to_do(engine, raw, index):
    assert "green" in engine.examine()
    raw.indices.put_settings(index=index, body={"index.blocks.read_only_allow_delete": True})
    with pytest.raises(EngineError, match=r"table 't': .*read_only_allow_delete.*disk is nearly full"):
        engine.examine()
    began = time.monotonic()
    with pytest.raises(EngineError, match="the cluster refuses writes; free some disk space"):
        engine.upsert("t", ROWS)
    assert time.monotonic() - began < 15
    raw.indices.put_settings(index=index, body={"index.blocks.read_only_allow_delete": None})
    raw.indices.put_settings(index=index, body={"index.blocks.write": True})
    with pytest.raises(EngineError, match=r"index\.blocks\.write"):
        engine.examine()
    with pytest.raises(EngineError, match=r"somebody else set index.blocks.write"):
        engine.upsert("t", ROWS)
    raw.indices.put_settings(index=index, body={"index.blocks.write": None})
    red = f"{index}-red"
    nowhere = {"index.routing.allocation.require._name": "nobody", "index.number_of_replicas": 0}
    raw.indices.create(index=red, body={"settings": nowhere}, params={"wait_for_active_shards": 0})
    try:
        with pytest.raises(EngineError, match=rf"red, some shards are missing: {red}; look at _cluster/allocation"):
            engine.examine()
    finally:
        raw.indices.delete(index=red)


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A folder with two certificates that sign themselves: mine.pem (of localhost, its key mine.key), other.pem."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("mine", "other"):
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key"]
        openssl(folder, "req", "-x509", "-days", "2", *made, "-out", f"{name}.pem", *names)
    return folder


@pytest.fixture
def secured(opensearch_url, authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "mine.pem", authority / "mine.key")
    with Proxy(opensearch_url, tls=context) as proxy:
        yield proxy


def test_the_right_certificate_and_the_password_arrive(secured, authority, caplog):
    settings = engine_settings(secured.url, ca=authority / "mine.pem", user="me", password="quite secret")
    with OpenSearchEngine.open(settings) as engine:
        assert engine.table_names() == []
    assert {headers["authorization"] for _, headers in secured.seen} == {"Basic bWU6cXVpdGUgc2VjcmV0"}
    shown = [value for _, value, _ in describe_settings(Settings(engine=settings))]
    assert "********" in shown
    for text in (caplog.text, repr(settings), *shown):
        assert "quite secret" not in text
        assert "bWU6cXVpdGUgc2VjcmV0" not in text


@pytest.mark.parametrize("ca", ["other.pem", None])
def test_a_certificate_that_is_not_trusted_is_a_clear_error(secured, authority, ca):
    settings = engine_settings(
        secured.url, ca=authority / ca if ca else None, user="me", password="quite secret", timeout_s=5
    )
    with OpenSearchEngine.open(settings) as engine, pytest.raises(EngineError) as caught:
        engine.table_names()
    assert "check HAVENGATE_ENGINE__CA" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert secured.seen == []


def test_a_certificate_that_is_not_looked_at_is_warned_of(secured, caplog):
    with OpenSearchEngine.open(engine_settings(secured.url, verify_certs=False)) as engine:
        assert engine.table_names() == []
    assert "HAVENGATE_ENGINE__VERIFY_CERTS=false: whoever answers as the cluster is believed" in caplog.text


def test_a_file_of_certificates_that_is_missing_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"HAVENGATE_ENGINE__CA: no file .*none.pem"):
        OpenSearchEngine.open(engine_settings("https://localhost:1", ca=tmp_path / "none.pem"))
