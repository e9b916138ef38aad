"""Which searches are asked again exactly, when, and what is told of them."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from queue import Queue

import numpy as np
import polars as pl
import pytest
from plain_engine import SCHEMA

from engines.contract import PoolQuery, TableSpec
from havengate.errors import EngineError, Moved, TimedOut
from havengate.recall import RecallAudit, recall
from havengate.request_id import REQUEST_ID
from havengate.setting_groups import RecallSettings
from havengate.types import SCORE, Pool
from schemas.settings import TableSettings

SPEC = TableSpec("t@g2", SCHEMA, {}, TableSettings(), {}, "g2")
QUERY = PoolQuery("near", np.zeros((1, 2), np.float32), 3, columns=("shop",), generation="g2")
WAIT_S = 30


def pool(*scores, strategy="ann", matched=100):
    return Pool(pl.DataFrame({SCORE: pl.Series(scores, dtype=pl.Float64)}), matched, strategy)


class Exact:
    """Gives ``best`` for every query, after ``seconds`` of its own clock; waits where it is told to."""

    def __init__(self, best=None, seconds=0.0):
        self.best = best or pool(1, 2, 3, strategy="exact")
        self.seconds = seconds
        self.now = 0.0
        self.asked = Queue()
        self.go_on = threading.Event()
        self.go_on.set()

    def clock(self):
        return self.now

    def pool(self, name, query):
        self.asked.put((name, query, REQUEST_ID.get()))
        assert self.go_on.wait(WAIT_S)
        self.now += self.seconds
        if isinstance(self.best, Exception):
            raise self.best
        return self.best


class Audited:
    """An audit and what it told."""

    def __init__(self, engine, share=1.0, busy=1.0, draw=lambda: 0.0):
        self.told = []
        self.engine = engine
        settings = RecallSettings(share=share, busy=busy)
        self.audit = RecallAudit(engine, settings, self._observe, limit_s=9, clock=engine.clock, draw=draw)

    def _observe(self, *told):
        self.told.append(told)

    def offer(self, *scores, **rest):
        self.audit.offer(SPEC, QUERY, pool(*scores, **rest))

    def asked(self):
        """The query that is asked, as soon as it is."""
        return self.engine.asked.get(timeout=WAIT_S)

    def idle(self):
        """Returns when the one that was taken is over."""
        deadline = time.monotonic() + WAIT_S
        while self.audit._busy:
            assert time.monotonic() < deadline
            time.sleep(0.001)


@pytest.fixture
def audited():
    made = []

    def make(engine, **rest):
        made.append(Audited(engine, **rest))
        return made[-1]

    yield make
    for each in made:
        each.engine.go_on.set()
        each.audit.close()


def test_a_search_is_asked_again_exactly_and_without_what_only_clients_need(audited):
    one = audited(Exact())
    token = REQUEST_ID.set("r7")
    one.offer(1, 2, 5)
    REQUEST_ID.reset(token)
    name, query, request_id = one.asked()
    assert (name, request_id) == ("t@g2", "recall-r7")
    assert (query.exact, query.n, query.columns, query.generation) == (True, 3, (), "g2")
    assert query.deadline_s == 9
    one.audit.close()
    assert one.told == [("t", "near", 3, 2 / 3)]


@pytest.mark.parametrize("strategy", ["exact", "ann+exact"])
def test_what_was_exact_is_not_asked_again(audited, strategy):
    one = audited(Exact())
    one.offer(1, 2, 3, strategy=strategy)
    one.audit.close()
    assert one.engine.asked.empty()


def test_a_share_of_searches_is_taken_and_none_of_share_zero(audited):
    draws = iter((0.0, 0.24, 0.25, 0.9))
    one = audited(Exact(), share=0.25, draw=lambda: next(draws))
    one.offer(1, 2, 3)
    one.asked()
    one.idle()
    one.offer(1, 2, 3)
    one.asked()
    for _ in range(2):
        one.offer(1, 2, 3)
    none = audited(Exact(), share=0.0)
    none.offer(1, 2, 3)
    for each in (one, none):
        each.audit.close()
    assert len(one.told) == 2
    assert none.told == []


def test_one_at_a_time_and_the_others_are_dropped(audited):
    one = audited(Exact())
    one.engine.go_on.clear()
    one.offer(1, 2, 3)
    one.asked()
    for _ in range(5):
        one.offer(7, 8, 9)
    one.engine.go_on.set()
    one.audit.close()
    assert one.told == [("t", "near", 3, 1.0)]


def test_it_rests_before_it_takes_another(audited):
    one = audited(Exact(seconds=2.0), busy=0.1)
    one.offer(1, 2, 3)
    one.asked()
    one.idle()
    for one.engine.now in (2.0, 19.9):
        one.offer(1, 2, 3)
        one.idle()
        assert one.engine.asked.empty()
    one.engine.now = 20.0
    one.offer(1, 2, 3)
    one.asked()
    one.audit.close()
    assert len(one.told) == 2


@pytest.mark.parametrize(
    "answer",
    [
        pool(strategy="exact"),
        pool(1, 2, 3, strategy="exact", matched=101),
        Moved("another generation"),
        EngineError("away"),
        ZeroDivisionError(),
    ],
    ids=["nothing", "other rows match", "moved", "away", "a fault"],
)
def test_a_sample_that_says_nothing_is_dropped_and_the_next_one_counts(audited, answer, caplog):
    one = audited(Exact(answer))
    one.offer(1, 2, 3)
    one.asked()
    one.idle()
    one.offer(1, 2, 3)
    one.asked()
    one.audit.close()
    assert one.told == []
    assert ("ZeroDivisionError" in caplog.text) == isinstance(answer, ZeroDivisionError)


def test_a_table_that_is_too_large_is_named_and_left_alone_until_its_next_generation(audited, caplog):
    one = audited(Exact(TimedOut("late")))
    one.offer(1, 2, 3)
    one.asked()
    one.idle()
    one.offer(1, 2, 3)
    assert one.engine.asked.empty()
    assert not one.audit._busy
    one.engine.best = pool(1, 2, 3, strategy="exact")
    one.audit.offer(replace(SPEC, generation="g3"), QUERY, pool(1, 2, 3))
    one.asked()
    one.audit.close()
    assert one.told == [("t", "near", 3, 1.0)]
    assert [record.message for record in caplog.records] == [
        "table t: no recall is measured, comparing all rows takes too long"
    ]


def test_nothing_is_taken_after_the_end(audited):
    one = audited(Exact())
    one.audit.close()
    one.offer(1, 2, 3)
    one.audit.close()
    assert one.engine.asked.empty()


@pytest.mark.parametrize(
    ("found", "best", "distance", "share"),
    [
        ((1, 2, 3), (1, 2, 3), "SquaredEuclidean", 1),
        ((1, 2, 2), (1, 2, 2), "SquaredEuclidean", 1),
        ((1, 3, 4), (1, 2, 3), "SquaredEuclidean", 2 / 3),
        ((4, 5, 6), (1, 2, 3), "SquaredEuclidean", 0),
        ((), (1, 2), "SquaredEuclidean", 0),
        ((1, 2), (1, 2, 3, 4), "SquaredEuclidean", 0.5),
        # A row that was written meanwhile is nearer than all.
        ((0, 1, 2), (1, 2), "SquaredEuclidean", 1),
        ((9, 7, 5), (9, 8, 7), "InnerProduct", 2 / 3),
        ((0.0,), (-0.0,), "InnerProduct", 1),
    ],
)
def test_scores_as_good_as_the_last_of_the_best_are_found(found, best, distance, share):
    series = [pl.Series(scores, dtype=pl.Float64) for scores in (found, best)]
    assert recall(*series, distance) == pytest.approx(share)


def test_queries_are_compared_by_their_own_index(audited):
    one = audited(Exact(pool(9, 8, 7, strategy="exact")))
    one.audit.offer(SPEC, replace(QUERY, index="like"), pool(9, 8, 1))
    one.asked()
    one.audit.close()
    assert one.told == [("t", "like", 3, 2 / 3)]
