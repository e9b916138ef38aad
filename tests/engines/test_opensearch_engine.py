"""What only a cluster does: approximate search, shards, pages, long text, and being away or somebody else's."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace

import numpy as np
import pytest
from engine_samples import compare, keys, make_row, make_schema, make_spec, query
from opensearchpy import OpenSearch

from engines.contract import PoolQuery, RowsQuery
from engines.opensearch.engine import OpenSearchEngine
from havengate.errors import EngineError, RequestError
from havengate.setting_groups import EngineSettings
from havengate.types import SCORE, And, Contains, Exists, Field, Literal, Not, Or, Row, SortKey
from schemas.table import FieldType, Hnsw

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
    with monkeypatch.context() as patch:
        patch.setattr("engines.opensearch.pool.EXACT_ROWS", 0)
        patch.setattr("engines.opensearch.sizes.Sizes.were_few", lambda *_: False)
        near = engine.pool("t", asked)
    assert near.strategy.startswith("ann")
    exact = engine.pool("t", asked)
    assert exact.strategy == "exact"
    return exact, near


def test_only_what_a_query_asks_is_profiled(clustered, monkeypatch):
    asked = PoolQuery("vector", np.zeros((1, DIMENSION), np.float32), 10, filter=compare("i64", "<", 50))
    told = clustered.explain("t", asked, profile=True)
    assert set(told["profile"]) == {"approximate", "count_base", "exact"}
    assert "Float.intBitsToFloat" in str(told["requests"]["exact"])
    monkeypatch.setattr("engines.opensearch.pool.EXACT_ROWS", 0)
    assert set(clustered.explain("t", asked, profile=True)["profile"]) == {"approximate", "count_base"}
    with pytest.raises(RequestError, match="n=10001 is more than 10000"):
        clustered.explain("t", replace(asked, n=10_001))


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


def test_rows_that_share_their_vector_with_many_do_not_hide_the_next(engine, monkeypatch):
    chance = np.random.default_rng(3)
    vectors = chance.standard_normal((30, DIMENSION)).astype(np.float32)[chance.integers(0, 30, 3000)]
    engine.create_table(make_spec(schema=make_schema((), indexes=(("vector", DIMENSION, "SquaredEuclidean"),))))
    engine.upsert("t", [make_row(key, vector) for key, vector in enumerate(vectors)])
    for asked in chance.standard_normal((5, 1, DIMENSION)).astype(np.float32):
        exact, near = both_ways(engine, monkeypatch, PoolQuery("vector", asked, 150))
        assert near.frame.rows() == exact.frame.rows()


def test_a_graph_that_came_up_short_is_mended(clustered, monkeypatch):
    monkeypatch.setattr("engines.opensearch.pool.EXACT_ROWS", 0)
    monkeypatch.setattr("engines.opensearch.pool_bodies.WINDOW", 5)
    pool = clustered.pool("t", PoolQuery("vector", np.zeros((1, DIMENSION), np.float32), 40))
    assert (pool.frame.height, pool.matched, pool.strategy) == (40, ROWS, "ann+exact")


def test_more_rows_than_a_page_come_in_the_order_of_the_key(clustered, monkeypatch):
    monkeypatch.setattr("engines.opensearch.rows.WINDOW", 100)
    found = clustered.rows("t", RowsQuery(compare("s", "!=", "3"), ("i64",)))
    expected = [key for key in range(ROWS) if key % 7 != 3]
    assert keys(found) == [str(key) for key in expected]
    assert found.frame["i64"].to_list() == [key % 100 for key in expected]
    assert found.matched == len(expected)


def test_rows_in_an_order_come_in_pages_too(clustered, monkeypatch):
    """Fields without a value last, whatever number the cluster sorts a missing one as."""
    clustered.upsert("t", [make_row(-1, i64=2**63 - 1), make_row(-2), make_row(-3, i64=-(2**63)), make_row(-4)])
    monkeypatch.setattr("engines.opensearch.rows.WINDOW", 100)
    rows = [(2**63 - 1, -1), (-(2**63), -3), *((key % 100, key) for key in range(ROWS))]
    for descending in (False, True):
        order = (SortKey(Field("i64"), descending),)
        sign = -1 if descending else 1
        expected = [str(key) for number, key in sorted(rows, key=lambda row: (sign * row[0], row[1]))] + ["-4", "-2"]
        assert keys(clustered.rows("t", RowsQuery(order=order))) == expected
        some = clustered.rows("t", RowsQuery(order=order, limit=250))
        assert (keys(some), some.matched) == (expected[:250], ROWS + 4)


def test_a_page_that_one_answer_holds_is_one_request(clustered, monkeypatch):
    monkeypatch.delattr("engines.opensearch.searches.Searches.moment")
    query = RowsQuery(order=(SortKey(Field("i64"), descending=True),), limit=3, marks=(compare("s", "=", "1"),))
    found = clustered.rows("t", query)
    assert (keys(found), found.matched) == (["99", "199", "299"], ROWS)
    assert found.frame["#mark:0"].to_list() == [key % 7 == 1 for key in (99, 199, 299)]


def test_marks_change_no_pool(clustered, monkeypatch):
    marks = (compare("i64", "<", 50), Exists(Field("s")), Not(Exists(Field("i64"))), Contains(Field("s"), Literal("3")))
    asked = PoolQuery("vector", np.zeros((1, DIMENSION), np.float32), 300, filter=compare("i64", ">=", 20))
    for plain, marked in zip(
        both_ways(clustered, monkeypatch, asked),
        both_ways(clustered, monkeypatch, replace(asked, marks=marks)),
        strict=True,
    ):
        assert marked.frame.drop([f"#mark:{place}" for place in range(4)]).equals(plain.frame)
        numbers = [int(key) for key in keys(marked)]
        assert marked.frame["#mark:0"].to_list() == [number % 100 < 50 for number in numbers]
        assert marked.frame["#mark:1"].all()
        assert not marked.frame["#mark:2"].any()
        assert marked.frame["#mark:3"].to_list() == [number % 7 == 3 for number in numbers]


def test_several_unsigned_numbers_beside_a_selective_condition(engine):
    """The cluster then looks into the row instead of the index, and has to find the same there."""
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(key, us=[1, 2**63 + 5]) for key in range(1000)])
    for op, value in (("=", 1), ("=", 2**63 + 5), ("<", 8), (">=", 2**63)):
        several = compare("us", op, value)
        found = engine.rows("t", RowsQuery(And((compare("id", "=", 7), several)), marks=(several,)))
        assert (keys(found), found.frame["#mark:0"].to_list()) == (["7"], [True])


@pytest.mark.parametrize("part", ["b" * 30 + "a", "b" * 100 + "a", "盔" * 3000 + "a"])
def test_a_part_of_any_length_is_found(engine, part):
    fields = (("s", FieldType.STRING, False), ("m", FieldType.MAP, False))
    engine.create_table(make_spec(schema=make_schema(fields)))
    texts = [part, f"x{part}y", part[1:], f"{part[1:]}*", "?" * len(part)]
    engine.upsert("t", [make_row(key, s=text, m={"k": text, "l": [text]}) for key, text in enumerate(texts)])
    for field in (Field("s"), Field("m", "k")):
        assert keys(engine.rows("t", RowsQuery(Contains(field, Literal(part))))) == ["0", "1"]
        assert keys(engine.rows("t", RowsQuery(Not(Contains(field, Literal(part)))))) == ["2", "3", "4"]
    assert keys(engine.rows("t", RowsQuery(Contains(Field("m", "l"), Literal(part))))) == ["0"]


def test_the_hash_of_a_long_text_is_no_part_of_it(engine):
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(1, s="图" * 20_000)])
    parts = "图0123456789abcdef\x00"
    found = [engine.rows("t", RowsQuery(Contains(Field("s"), Literal(part)))).matched for part in parts]
    assert found == [1] + [0] * 17


def test_text_longer_than_a_term_of_lucene(engine):
    long = "图" * 20_000
    schema = make_schema((("s", FieldType.STRING, False), ("m", FieldType.MAP, False)), key=FieldType.STRING)
    engine.create_table(make_spec(schema=schema))
    rows = [Row(key, {"id": key, "s": key, "m": {key: key}}) for key in (long, long + "x", "short")]
    engine.upsert("t", rows)
    assert engine.fetch("t", [long]) == {long: rows[0]}
    assert keys(engine.rows("t", RowsQuery(compare("s", "=", long)))) == [long]
    assert keys(engine.rows("t", RowsQuery(compare("m", "=", long + "x", path=long + "x")))) == [long + "x"]
    assert keys(engine.rows("t", RowsQuery(compare("s", "<", "图")))) == ["short"]
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
        engine.rows("t", RowsQuery(ranges))


def test_half_of_a_surrogate_pair_is_the_requests_fault(engine):
    engine.create_table(make_spec())
    with pytest.raises(RequestError, match="surrogate"):
        engine.rows("t", RowsQuery(compare("s", "=", "\ud800")))


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
        assert other.table("t") == replace(make_spec(), generation="g1")
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


def test_the_graph_is_built_as_the_schema_asks(engine):
    schema = make_schema(indexes=(("vector", 2, "SquaredEuclidean"),))
    asked = replace(schema.vector_indexes["vector"], hnsw=Hnsw(m=24, ef_construction=64))
    engine.create_table(make_spec(schema=replace(schema, vector_indexes={"vector": asked})))
    engine.upsert("t", [make_row(1, (1, 0))])
    assert keys(engine.pool("t", query((0, 0)))) == ["1"]
