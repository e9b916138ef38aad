"""A search that takes longer than its plan allows, by a clock that the stages move."""

import pytest
from plain_engine import PlainEngine

from havengate.codes import HaCode
from havengate.errors import TimedOut
from havengate.search import Searcher
from havengate.setting_groups import LimitSettings
from havengate.types import Or, SearchPlan, VectorPayload, VectorTerm

ROWS = [{"id": 1, "near": [1.0, 0.0], "like": [1.0, 0.0]}]
NEAR, LIKE = (VectorTerm(index, VectorPayload(((0.0, 0.0),))) for index in ("near", "like"))


class SlowEngine(PlainEngine):
    """Every pool takes two seconds of ``now``."""

    now = 100.0

    def pool(self, name, query):
        self.now += 2.0
        return super().pool(name, query)


def search(timeout_s, *terms):
    engine = SlowEngine(ROWS)
    searcher = Searcher(engine, None, None, LimitSettings(), clock=lambda: engine.now)
    try:
        return searcher.search(SearchPlan("t", Or(terms), timeout_s=timeout_s)), engine
    except TimedOut as error:
        return error, engine


@pytest.mark.parametrize("timeout_s", [None, 4.0, 60.0])
def test_a_search_that_is_quick_enough_is_answered(timeout_s):
    result, _ = search(timeout_s, NEAR, LIKE)
    assert [hit.pk for hit in result.hits] == ["1"]


def test_a_search_that_takes_too_long_stops_between_its_pools():
    error, engine = search(1.5, NEAR, LIKE)
    assert (error.code, error.http_status) == (HaCode.QRS_PROCESS_TIMEOUT, 504)
    assert "1.5 s" in error.message
    assert "'engine'" in error.message
    assert len(engine.asked) == 1


def test_time_is_counted_from_the_start_of_the_search():
    error, engine = search(3.0, NEAR, LIKE)
    assert isinstance(error, TimedOut)
    assert len(engine.asked) == 2


def test_an_engine_is_told_how_much_time_is_left():
    _, engine = search(60.0, NEAR, LIKE)
    assert [query.deadline_s for query in engine.asked] == [60.0, 58.0]
    _, engine = search(None, NEAR)
    assert [query.deadline_s for query in engine.asked] == [None]
