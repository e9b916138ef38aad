"""Writes held back by a change: by every shard, until all have seen the swap, and lifted by whoever held them."""

from __future__ import annotations

import uuid

import pytest
from engine_samples import CHANGED, make_row, make_spec
from opensearchpy import OpenSearch, exceptions

from engines.contract import Generation
from engines.opensearch.catalog import FRESH_S
from engines.opensearch.engine import OpenSearchEngine
from havengate.errors import Busy, EngineError
from havengate.settings import EngineSettings


def silent(_done, _of):
    pass


@pytest.fixture
def settings(opensearch_url):
    return EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60)


@pytest.fixture
def engine(settings):
    with OpenSearchEngine.open(settings) as engine:
        engine.create_table(make_spec())
        engine.upsert("t", [make_row(key, (key, 0), s=str(key), f=0.1) for key in range(5)])
        yield engine
        engine.drop_table("t")


@pytest.fixture
def client(opensearch_url):
    with OpenSearch([opensearch_url]) as client:
        yield client


def test_a_change_that_was_given_up_leaves_the_hold_of_the_next_one(engine, settings, monkeypatch):
    held = []

    def next_change(_done, _of):
        if not held:
            with OpenSearchEngine.open(settings) as other:
                with monkeypatch.context() as patch:
                    patch.setattr("engines.opensearch.stored.LIFELESS_S", 0)
                    other._holds.require_free("t")
                other._holds.hold("t", other._catalog.read("t"))
                held.append(other._catalog.read("t").held)

    with pytest.raises(Busy, match="no sign of life"):
        engine.change_table("t", make_spec(schema=CHANGED), next_change)
    current = engine._catalog.read("t")
    assert (held, current.held, current.blocked) == ([True], True, True)


def test_writes_are_not_held_back_where_a_shard_did_not_answer(engine, monkeypatch):
    answer = {"acknowledged": True, "shards_acknowledged": False, "indices": [{"name": "t", "blocked": False}]}
    monkeypatch.setattr(engine._client.indices, "add_block", lambda **_: answer)
    with pytest.raises(EngineError, match="some shards did not answer"):
        engine.change_table("t", make_spec(schema=CHANGED), silent)
    assert [each.name for each in engine.generations("t")] == ["g1"]
    engine.upsert("t", [make_row(9, (9, 0), f=0.1)])


def test_a_change_whose_hold_could_not_be_lifted_is_done_and_the_next_writer_lifts_it(engine, monkeypatch, caplog):
    def fail(*_):
        raise exceptions.TransportError(503, "no node", {})

    with monkeypatch.context() as patch:
        patch.setattr(engine._holds, "release", fail)
        made = engine.change_table("t", make_spec(schema=CHANGED), silent)
    assert made == Generation("g2", 5, current=True)
    assert "writes are held back for another 60 s" in caplog.text
    monkeypatch.setattr("engines.opensearch.stored.LIFELESS_S", 0)
    engine.upsert("t", [make_row(9, (9, 0), f=0.1)])
    assert engine.stats("t").rows == 6


def test_a_row_that_was_written_while_rows_were_copied_undoes_the_change(engine, client):
    def let_through(done, _of):
        if done:
            index = engine._catalog.read("t").index
            client.indices.put_settings(index=index, body={"index.blocks.write": None})
            client.delete(index=index, id="1", params={"refresh": "true"})

    with pytest.raises(Busy, match="were written while it was changed"):
        engine.change_table("t", make_spec(schema=CHANGED), let_through)
    assert engine.generations("t") == [Generation("g1", 4, current=True)]


def test_a_hold_that_others_ended_takes_the_swap_with_it(engine, client, monkeypatch):
    engine.change_table("t", make_spec(schema=CHANGED), silent)
    current = engine._catalog.read("t").index
    block = engine._holds.block

    def end(index):
        block(index)
        if index != current:
            client.indices.delete_alias(index=current, name=f"{engine._settings.index_prefix}t.held")

    monkeypatch.setattr(engine._holds, "block", end)
    with pytest.raises(Busy, match="no sign of life"):
        engine.use_generation("t", "g1")
    assert [each.name for each in engine.generations("t") if each.current] == ["g2"]


def test_writes_begin_when_every_gateway_has_seen_the_swap(engine, monkeypatch):
    seen = []

    def sleep(seconds):
        stored = engine._catalog.read("t")
        seen.append((stored.generation, stored.held, stored.blocked, seconds > FRESH_S))

    monkeypatch.setattr("engines.opensearch.generations.time.sleep", sleep)
    engine.change_table("t", make_spec(schema=CHANGED), silent)
    assert ("g2", True, True, True) in seen
    assert not engine._catalog.read("t").blocked
