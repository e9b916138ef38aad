"""What was read a moment ago: rows and their counts, and the specification of a table that others made again."""

from __future__ import annotations

import json
import uuid

import pytest
from engine_samples import keys, make_row, make_schema, make_spec, query

from engines.contract import RowsQuery
from engines.opensearch import pool
from engines.opensearch.engine import OpenSearchEngine
from engines.opensearch.mapping import INTERNAL
from engines.opensearch.pool_bodies import FITS
from engines.opensearch.sizes import Sizes
from havengate.errors import RequestError
from havengate.setting_groups import EngineSettings
from havengate.types import Exists, Field
from schemas.table import FieldType

HERE = Exists(Field("i8"))


def answer(total, found=0, passing=0):
    hits = [
        {
            "_source": {INTERNAL: {"row": json.dumps({"id": key})}},
            "sort": [float(key), key],
            "matched_queries": [FITS] if key < passing else [],
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


def test_a_table_made_again_under_its_name_is_another_table(opensearch_url):
    settings = EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60)
    whole, text = (make_spec(schema=make_schema((("n", kind, False),))) for kind in (FieldType.INT32, FieldType.STRING))
    with OpenSearchEngine.open(settings) as gateway, OpenSearchEngine.open(settings) as other:
        other.create_table(whole)
        try:
            gateway.upsert("t", [make_row(1, n=5)])
            other.drop_table("t")
            other.create_table(text)
            # The first gateway still remembers the table that is gone.
            with pytest.raises(RequestError, match="5 is no STRING"):
                gateway.upsert("t", [make_row(1, n=5)])
            other.upsert("t", [make_row(2, n="five")])
            assert keys(gateway.rows("t", RowsQuery(columns=("n",)))) == ["2"]
        finally:
            other.drop_table("t")
