"""What only a cluster does: approximate search, shards, pages, long text, and being away or somebody else's."""

from __future__ import annotations

import base64
import socket
import threading
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from engine_samples import compare, keys, make_row, make_schema, make_spec, query
from opensearchpy import OpenSearch

from engines.contract import PoolQuery
from engines.opensearch.engine import OpenSearchEngine
from havengate.errors import EngineError, RequestError
from havengate.settings import EngineSettings
from havengate.types import SCORE, Or, Row
from schemas.table import FieldType

ROWS, DIMENSION = 1500, 16


@pytest.fixture
def settings(opensearch_url):
    return EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60, shards=3)


@pytest.fixture
def engine(settings):
    with OpenSearchEngine.open(settings) as engine:
        yield engine
        for name in engine.table_names():
            engine.drop_table(name)


@pytest.fixture
def clustered(engine):
    """Rows around 20 centres over three shards; i64 is the row's number modulo 100."""
    chance = np.random.default_rng(1)
    centres = chance.standard_normal((20, DIMENSION))
    vectors = (centres[np.arange(ROWS) % 20] + 0.1 * chance.standard_normal((ROWS, DIMENSION))).astype(np.float32)
    fields = (("i64", FieldType.INT64, False), ("s", FieldType.STRING, False))
    engine.create_table(make_spec(schema=make_schema(fields, indexes=(("vector", DIMENSION, "SquaredEuclidean"),))))
    engine.upsert("t", [make_row(key, vectors[key], i64=key % 100, s=str(key % 7)) for key in range(ROWS)])
    return engine


def both_ways(engine, monkeypatch, asked):
    exact = engine.pool("t", asked)
    assert exact.strategy == "exact"
    with monkeypatch.context() as patch:
        patch.setattr("engines.opensearch.pool.EXACT_ROWS", 0)
        near = engine.pool("t", asked)
    return exact, near


@pytest.mark.parametrize("filter_mode", ["pre", "post"])
@pytest.mark.parametrize("limit", [100, 50, 10, 1])
def test_the_graph_finds_what_the_exact_search_finds(clustered, monkeypatch, limit, filter_mode):
    vectors = np.random.default_rng(limit).standard_normal((2, DIMENSION)).astype(np.float32)
    asked = PoolQuery("vector", vectors, 60, filter=compare("i64", "<", limit), filter_mode=filter_mode, columns=("s",))
    exact, near = both_ways(clustered, monkeypatch, asked)
    assert near.matched == exact.matched == ROWS * limit // 100
    assert near.frame.height == exact.frame.height
    if filter_mode == "pre":
        assert near.frame.height == min(60, near.matched)
    found = set(keys(near)) & set(keys(exact))
    assert len(found) >= 0.99 * exact.frame.height
    numbers = dict(zip(keys(exact), exact.frame[SCORE], strict=True))
    for key, score in zip(keys(near), near.frame[SCORE], strict=True):
        assert numbers.get(key, score) == score


def test_a_graph_that_came_up_short_is_mended(clustered, monkeypatch):
    monkeypatch.setattr("engines.opensearch.pool.EXACT_ROWS", 0)
    monkeypatch.setattr("engines.opensearch.bodies.WINDOW", 5)
    pool = clustered.pool("t", PoolQuery("vector", np.zeros((1, DIMENSION), np.float32), 40))
    assert (pool.frame.height, pool.matched, pool.strategy) == (40, ROWS, "ann+exact")


def test_more_rows_than_a_page_come_in_the_order_of_the_key(clustered, monkeypatch):
    monkeypatch.setattr("engines.opensearch.bodies.WINDOW", 100)
    monkeypatch.setattr("engines.opensearch.pool.WINDOW", 100)
    found = clustered.rows("t", compare("s", "!=", "3"), ("i64",))
    expected = [key for key in range(ROWS) if key % 7 != 3]
    assert keys(found) == [str(key) for key in expected]
    assert found.frame["i64"].to_list() == [key % 100 for key in expected]
    assert found.matched == len(expected)


def test_text_longer_than_a_term_of_lucene(engine):
    long = "图" * 20_000
    schema = make_schema((("s", FieldType.STRING, False), ("m", FieldType.MAP, False)), key=FieldType.STRING)
    engine.create_table(make_spec(schema=schema))
    rows = [Row(key, {"id": key, "s": key, "m": {key: key}}) for key in (long, long + "x", "short")]
    engine.upsert("t", rows)
    assert engine.fetch("t", [long]) == {long: rows[0]}
    assert keys(engine.rows("t", compare("s", "=", long), ())) == [long]
    assert keys(engine.rows("t", compare("m", "=", long + "x", path=long + "x"), ())) == [long + "x"]
    assert keys(engine.rows("t", compare("s", "<", "图"), ())) == ["short"]
    assert engine.delete("t", [long]) == 1


def test_tables_whose_names_differ_in_case(engine):
    for name in ("T", "t"):
        engine.create_table(make_spec(name))
    engine.upsert("T", [make_row(1)])
    assert (engine.stats("T").rows, engine.stats("t").rows) == (1, 0)


def test_a_filter_of_more_parts_than_the_cluster_takes_is_the_requests_fault(engine):
    engine.create_table(make_spec())
    ranges = Or(tuple(compare("i64", "<", -value) for value in range(3000)))
    with pytest.raises(RequestError, match="max_clause_count"):
        engine.rows("t", ranges, ())


def test_half_of_a_surrogate_pair_is_the_requests_fault(engine):
    engine.create_table(make_spec())
    with pytest.raises(RequestError, match="surrogate"):
        engine.rows("t", compare("s", "=", "\ud800"), ())


def test_a_write_block_says_what_to_do(engine, settings, opensearch_url):
    engine.create_table(make_spec())
    with OpenSearch([opensearch_url]) as client:
        client.indices.add_block(index=f"{settings.index_prefix}t", block="write")
        with pytest.raises(EngineError, match="lift the block"):
            engine.upsert("t", [make_row(1)])
    assert engine.stats("t").rows == 0


def test_another_engine_sees_changes_within_seconds(engine, settings):
    with OpenSearchEngine.open(settings) as other:
        assert other.table_names() == []
        engine.create_table(make_spec())
        engine.upsert("t", [make_row(1, (1, 1))])
        assert other.table("t") == make_spec()
        assert keys(other.pool("t", query((0, 0)))) == ["1"]


def test_two_engines_that_change_one_row_both_do(engine, settings):
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(1, (1, 1))])
    with OpenSearchEngine.open(settings) as other:
        writers = [
            threading.Thread(target=lambda one=one, field=field: [
                one.update_fields("t", [Row("1", {field: step})]) for step in range(10)
            ])
            for one, field in ((engine, "i64"), (other, "i8"))
        ]  # fmt: skip
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    assert engine.fetch("t", ["1"])["1"].fields == {"id": 1, "i64": 9, "i8": 9}


def test_an_index_of_somebody_else_is_no_table(engine, settings, opensearch_url):
    with OpenSearch([opensearch_url]) as client:
        alias = f"{settings.index_prefix}theirs"
        client.indices.create(index=f"{settings.index_prefix}x", body={"aliases": {alias: {}}})
        with pytest.raises(EngineError, match="not made by havengate"):
            engine.table("theirs")
        client.indices.delete(index=f"{settings.index_prefix}x")


def test_a_cluster_that_is_away_is_named_and_found_again(settings, opensearch_url):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with (
            OpenSearchEngine.open(settings.model_copy(update={"hosts": away})) as engine,
            pytest.raises(EngineError, match="cannot be reached"),
        ):
            engine.table_names()
        both = settings.model_copy(update={"hosts": f"{away}, {opensearch_url}"})
        with OpenSearchEngine.open(both) as engine:
            assert [engine.table_names() for _ in range(4)] == [[]] * 4


ANSWERS = {
    "elasticsearch": ('{"version": {"number": "8.1.0"}}', "another product"),
    "old": ('{"version": {"number": "2.3.0", "distribution": "opensearch"}}', "too old"),
    "no plugin": ('{"version": {"number": "2.19.6", "distribution": "opensearch"}}', "no k-NN plugin"),
}


def answer(status, text):
    """A server that gives one answer to ``/`` and knows nothing else; it keeps the headers that it saw."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.seen.append(self.headers)
            known = self.path == "/"
            self.send_response(status if known else 400)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(text.encode() if known else b'{"error": "no handler found"}')

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.seen = []
    return server


@contextmanager
def refused(status, text, message, **rest):
    with answer(status, text) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = EngineSettings(hosts=f"http://127.0.0.1:{server.server_port}", **rest)
        with OpenSearchEngine.open(settings) as engine, pytest.raises(EngineError, match=message) as caught:
            engine.table_names()
        server.shutdown()
        yield server, caught.value.message


@pytest.mark.parametrize("name", ANSWERS)
def test_a_cluster_that_cannot_serve_is_refused(name):
    with refused(200, *ANSWERS[name]):
        pass


def test_a_user_that_the_cluster_does_not_know_is_told_so():
    with refused(401, "Unauthorized", "HAVENGATE_ENGINE__USER", user="scott", password="tiger") as (server, message):
        assert server.seen[0]["Authorization"] == f"Basic {base64.b64encode(b'scott:tiger').decode()}"
        assert "tiger" not in message
