"""Rows and their counts are searches of one round trip but not of one moment: what was found decides."""

from __future__ import annotations

import json

import pytest
from engine_samples import make_schema, query

from engines.opensearch import bodies, pool
from engines.opensearch.sizes import Sizes
from havengate.types import Exists, Field

HERE = Exists(Field("i8"))


def answer(total, found=0, passing=0):
    hits = [
        {
            "_source": {"row": json.dumps({"id": key})},
            "sort": [float(key), key],
            "matched_queries": [bodies.FITS] if key < passing else [],
        }
        for key in range(found)
    ]
    return {"hits": {"total": {"value": total}, "hits": hits}}


class Moments:
    """Answers in their order, whatever is asked."""

    def __init__(self, *answers):
        self.sizes = Sizes()
        self._answers = list(answers)

    def one(self, _alias, _body):
        return self._answers.pop(0)

    def several(self, alias, asked):
        return [self.one(alias, body) for body in asked]


def counted(searches, **asked):
    found = pool.nearest_rows(searches, "t", make_schema(), query((0, 0), **asked))
    return found.frame.height, found.matched, found.cut_by


@pytest.mark.parametrize(("before", "after"), [(10, 12), (12, 10)])
def test_all_rows_that_were_found_are_all_that_match(monkeypatch, before, after):
    monkeypatch.setattr(pool, "EXACT_ROWS", 5)
    rows = max(before, after)
    assert counted(Moments(answer(0, rows), answer(before)), n=50) == (rows, rows, ())


@pytest.mark.parametrize(
    ("n", "found", "passing", "matched", "told"),
    [
        (50, 9, 4, 3, (4, 4, ("filter_mode:post",))),
        (50, 9, 9, 20, (9, 9, ())),
        (9, 9, 9, 8, (9, 9, ())),
        (9, 9, 4, 20, (4, 20, ("filter_mode:post",))),
    ],
)
def test_a_filter_afterwards_matches_at_least_what_passed_it(n, found, passing, matched, told):
    searches = Moments(answer(0), answer(9), answer(matched), answer(found, found, passing))
    assert counted(searches, n=n, filter=HERE, filter_mode="post") == told
