"""The live recall audit over a real graph: what it measures, and that a search that was given worse rows shows."""

from __future__ import annotations

import uuid
from dataclasses import replace
from queue import Queue

import numpy as np
import pytest
from engine_samples import make_row, make_schema, make_spec

from engines.contract import PoolQuery
from engines.opensearch import pool
from engines.opensearch.engine import OpenSearchEngine
from havengate.recall import RecallAudit
from havengate.setting_groups import EngineSettings, RecallSettings

ROWS, DIMENSION, BEST = 400, 8, 20
SPEC = make_spec(schema=make_schema(indexes=(("vector", DIMENSION, "SquaredEuclidean"),)))


@pytest.fixture(scope="module")
def numbers():
    return np.random.default_rng(7).standard_normal((ROWS, DIMENSION), dtype=np.float32)


@pytest.fixture(scope="module")
def engine(opensearch_url, numbers):
    settings = EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60)
    with OpenSearchEngine.open(settings) as engine:
        engine.create_table(SPEC)
        engine.upsert("t", [make_row(key, numbers[key]) for key in range(ROWS)])
        yield engine
        engine.drop_table("t")


@pytest.fixture
def asked(monkeypatch, numbers, engine):
    monkeypatch.setattr(pool, "EXACT_ROWS", 100)
    # As a search asks: the generation has to be the current one still.
    return PoolQuery("vector", numbers[:1], BEST, generation=engine.table("t").expects)


@pytest.fixture
def audited(engine):
    told = Queue()
    audit = RecallAudit(engine, RecallSettings(share=1, busy=1), lambda *measured: told.put(measured), limit_s=30)
    yield audit, told
    audit.close()


def test_what_the_graph_found_is_held_against_all_rows(engine, asked, audited):
    audit, told = audited
    found = engine.pool("t", asked)
    assert found.strategy == "ann"
    audit.offer(engine.table("t"), asked, found)
    *where, value = told.get(timeout=30)
    assert where == ["t", "vector", BEST]
    assert value > 0.9


def test_a_pool_of_worse_rows_is_seen(engine, asked, audited):
    audit, told = audited
    wide = engine.pool("t", replace(asked, n=BEST + 5))
    audit.offer(engine.table("t"), asked, replace(wide, frame=wide.frame[5:]))
    assert told.get(timeout=30) == ("t", "vector", BEST, 0.75)


def test_rows_that_another_generation_took_over_are_not_counted(engine, asked, audited):
    audit, told = audited
    found, before = engine.pool("t", asked), engine.table("t")
    engine.build_generation("t", SPEC)
    engine.use_generation("t", "g2")
    try:
        audit.offer(before, asked, found)
        audit.close()
        assert told.empty()
    finally:
        engine.use_generation("t", "g1")
        engine.drop_generation("t", "g2")
