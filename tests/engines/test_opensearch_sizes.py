"""What is known to leave few rows is asked exactly at once; a hint that went stale costs time, never rows."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from engine_samples import compare, keys, make_row, make_schema, make_spec, query
from opensearchpy import exceptions

from engines.opensearch import pool
from engines.opensearch.engine import OpenSearchEngine
from engines.opensearch.pool_bodies import PoolBodies
from engines.opensearch.sizes import Sizes
from havengate.setting_groups import EngineSettings

CLAUSE = {"exists": {"field": "x"}}


def test_rows_are_remembered_by_table_and_condition():
    sizes = Sizes()
    assert not sizes.were_few("t", CLAUSE, 5)
    sizes.learn("t", CLAUSE, 5)
    assert sizes.were_few("t", CLAUSE, 5)
    assert not sizes.were_few("t", CLAUSE, 4)
    assert not sizes.were_few("u", CLAUSE, 5)
    sizes.forget("t", CLAUSE)
    assert not sizes.were_few("t", CLAUSE, 5)


def test_the_oldest_are_forgotten_and_endless_conditions_are_not_kept():
    sizes = Sizes()
    for place in range(2000):
        sizes.learn(str(place), CLAUSE, 1)
        assert sizes.were_few("0", CLAUSE, 1)
    assert not sizes.were_few("1", CLAUSE, 1)
    sizes.learn("long", {"terms": {"x": list(range(5000))}}, 1)
    assert not sizes.were_few("long", {"terms": {"x": list(range(5000))}}, 1)


def test_a_repeated_condition_takes_one_round_trip_and_follows_the_rows(opensearch_url, monkeypatch):
    monkeypatch.setattr(pool, "EXACT_ROWS", 5)
    settings = EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60)
    with OpenSearchEngine.open(settings) as engine:
        engine.create_table(make_spec(schema=make_schema(indexes=(("vector", 2, "SquaredEuclidean"),))))
        try:
            asked = query((0, 0), n=3, filter=compare("i8", ">=", 1))
            strategies = []
            for size in (4, 4, 9, 9):
                engine.upsert("t", [make_row(key, (key, 0), i8=1) for key in range(size)])
                found = engine.pool("t", asked)
                assert (keys(found), found.matched) == (["0", "1", "2"], size)
                strategies.append(found.strategy)
            # The third search was asked exactly because the second had left few; it saw that there are more now.
            assert strategies == ["exact", "exact", "exact", "ann"]
            true = engine.pool("t", replace(asked, exact=True))
            assert (true.strategy, true.matched, true.frame.equals(found.frame)) == ("exact", 9, True)
        finally:
            engine.drop_table("t")


@pytest.mark.parametrize("mode", ["pre", "post"])
def test_a_filter_afterwards_is_not_what_the_hint_is_about(opensearch_url, mode):
    settings = EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60)
    with OpenSearchEngine.open(settings) as engine:
        engine.create_table(make_spec("u", schema=make_schema(indexes=(("vector", 2, "SquaredEuclidean"),))))
        try:
            engine.upsert("u", [make_row(key, (key, 0), i8=key % 2) for key in range(6)])
            asked = query((0, 0), n=3, filter=compare("i8", "=", 1), filter_mode=mode)
            found = [(keys(pool_), pool_.matched) for pool_ in (engine.pool("u", asked), engine.pool("u", asked))]
            assert found == [(["1"] if mode == "post" else ["1", "3", "5"], 3)] * 2
        finally:
            engine.drop_table("u")


class Growing:
    """A table whose rows became too many to be looked through in time."""

    def __init__(self):
        self.sizes = Sizes()

    def one(self, _alias, _body):
        raise exceptions.ConnectionTimeout("TIMEOUT", "too slow", None)


def test_a_hint_that_became_too_dear_is_given_up():
    schema, asked = make_schema(), query((0, 0), n=3)
    searches, base = Growing(), PoolBodies(schema, asked).base
    searches.sizes.learn("t", base, 3)
    with pytest.raises(exceptions.ConnectionTimeout):
        pool.nearest_rows(searches, "t", schema, asked)
    assert not searches.sizes.were_few("t", base, 10**9)
