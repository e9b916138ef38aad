"""A filtered search returns all the rows it should: clustered vectors over three shards, with ties.

The short form lowers the limit below which searches are exact, so that the graph is asked on few rows, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from engines.opensearch import pool
from havengate.plan_json import plan_from_json
from havengate.types import Row
from schemas.settings import TableSettings
from schemas.vendor import read_schema

DIMENSION, COPIES, N, CALL, FEW = 64, 2, 10, 2000, 500
KEPT = {"all": None, "50 %": "half", "10 %": "tenth", "1 %": "hundredth", "0.1 %": "thousandth", "3 rows": "three"}
SCHEMA = {
    "fields": [
        {"field_name": "id", "field_type": "INT64"},
        *({"field_name": name, "field_type": "INT8"} for name in KEPT.values() if name),
        {"field_name": "brand", "field_type": "INT32"},
        {"field_name": "v", "field_type": "FLOAT", "multi_value": True},
    ],
    "indexs": [
        {"index_name": "id", "index_type": "PRIMARYKEY64", "index_fields": "id"},
        {
            "index_name": "vector",
            "index_type": "CUSTOMIZED",
            "index_fields": [{"field_name": "id"}, {"field_name": "v"}],
            "parameters": {"dimension": str(DIMENSION), "distance_type": "SquaredEuclidean"},
        },
    ],
}


@dataclass(frozen=True)
class Table:
    """Both engines' searchers over the same rows, the rows, and vectors to search by."""

    searchers: tuple
    fields: list[dict[str, int]]
    vectors: np.ndarray
    queries: np.ndarray

    def search(self, plan, engine=1):
        return self.searchers[engine].search(plan_from_json("rows", plan))

    def nearest(self, query, kept):
        """The scores of all rows that the filter keeps, best first."""
        there = [place for place, row in enumerate(self.fields) if kept is None or row[kept]]
        distances = ((self.vectors[there].astype(np.float64) - query) ** 2).sum(axis=1)
        return np.sort(distances)


def make_rows(count):
    numbers = np.random.default_rng(7)
    centres = numbers.standard_normal((50, DIMENSION))
    distinct = centres[numbers.integers(50, size=count // COPIES)]
    distinct = distinct + 0.3 * numbers.standard_normal(distinct.shape)
    vectors = np.repeat(distinct, COPIES, axis=0).astype(np.float32)
    three = set(numbers.choice(len(vectors), 3, replace=False).tolist())
    places = numbers.permutation(len(vectors)).tolist()
    fields = [
        {
            "half": place % 2,
            "tenth": place % 10 == 0,
            "hundredth": place % 100 == 0,
            "thousandth": place % 1000 == 0,
            "three": key in three,
            "brand": place % 40,
        }
        for key, place in enumerate(places)
    ]
    queries = centres[numbers.integers(50, size=20)] + 0.3 * numbers.standard_normal((20, DIMENSION))
    return [{name: int(value) for name, value in row.items()} for row in fields], vectors, queries.astype(np.float32)


def make_table(both, count):
    fields, vectors, queries = make_rows(count)
    rows = [
        Row(str(key), {"id": key, **row}, {"v": vector})
        for key, (row, vector) in enumerate(zip(fields, vectors, strict=True))
    ]
    for services in both:
        services.tables.create("rows", read_schema(json.dumps(SCHEMA)), TableSettings())
        for start in range(0, len(rows), CALL):
            services.engine.upsert("rows", rows[start : start + CALL])
    return Table(tuple(services.searcher for services in both), fields, vectors, queries)


@pytest.fixture(scope="module", params=[6_000, pytest.param(50_000, marks=pytest.mark.long)])
def table(request, both):
    with pytest.MonkeyPatch.context() as patch:
        if request.param < pool.EXACT_ROWS:
            patch.setattr(pool, "EXACT_ROWS", FEW)
        yield make_table(both, request.param)
    for services in both:
        services.tables.drop("rows")


def plan_of(query, kept, n=N, **rest):
    plan = {"query": {"vector": {"index": "vector", "vectors": [query.tolist()], "n": n}}, "limit": n, **rest}
    if kept is not None:
        plan["filter"] = {"compare": {"op": "=", "left": {"field": kept}, "right": 1}}
    return plan


@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT)
def test_the_count_is_full_and_the_rows_are_the_nearest(table, kept):
    found, strategies = 0, set()
    for query in table.queries:
        result = table.search(plan_of(query, kept))
        (certificate,) = result.certificates
        true = table.nearest(query, kept)
        expected = min(N, len(true))
        assert (certificate.matched, certificate.returned) == (len(true), expected)
        assert (result.total, len(result.hits)) == (expected, expected)
        scores = [hit.score for hit in result.hits]
        assert scores == sorted(scores)
        found += sum(score <= true[expected - 1] * (1 + 1e-9) for score in scores)
        strategies.add(certificate.strategy)
    assert found >= 0.99 * len(table.queries) * min(N, len(true))
    assert strategies == ({"ann"} if len(true) > pool.EXACT_ROWS else {"exact"})
    assert strategies == {"ann"} or kept not in (None, "half"), "the graph is what this is about"


def test_pages_neither_repeat_nor_skip(table):
    for query in table.queries[:5]:
        whole = [hit.pk for hit in table.search(plan_of(query, "half", 50)).hits]
        pages = [table.search(plan_of(query, "half", 50) | {"offset": first, "limit": 7}) for first in range(0, 50, 7)]
        assert [hit.pk for page in pages for hit in page.hits] == whole
        assert len(set(whole)) == len(whole) == 50


def test_equal_scores_stand_in_the_order_of_the_key(table):
    ties = 0
    for query in table.queries:
        hits = table.search(plan_of(query, None, 50)).hits
        pairs = [(hit.score, int(hit.pk)) for hit in hits]
        assert pairs == sorted(pairs)
        ties += len(pairs) - len({score for score, _ in pairs})
    assert ties > 100, "the rows come in pairs"


@pytest.mark.parametrize("kept", [None, "tenth"])
def test_sort_distinct_and_aggregates_over_the_pool_are_the_embedded_engines(table, kept):
    """Over three shards: an aggregate that each shard makes for itself would count three pools."""
    shape = {
        "sort": [{"by": "brand", "descending": False}, {"by": "RANK"}],
        "distinct": {"key": "brand", "reserved": False, "update_total": True},
        "aggregates": [
            {"keys": ["brand"], "functions": [{"name": "count"}, {"name": "max", "value": "id"}]},
            {"keys": ["half"], "functions": [{"name": "sum", "value": "id"}]},
        ],
    }
    equal = 0
    for query in table.queries:
        embedded, cluster = (table.search(plan_of(query, kept, 100) | shape, engine) for engine in (0, 1))
        same_pool = plan_of(query, kept, 100)
        pools = [{hit.pk for hit in table.search(same_pool, engine).hits} for engine in (0, 1)]
        if pools[0] == pools[1]:
            equal += 1
            assert [hit.pk for hit in cluster.hits] == [hit.pk for hit in embedded.hits]
            assert (cluster.total, cluster.aggregations) == (embedded.total, embedded.aggregations)
    assert equal >= len(table.queries) - 3


def test_rows_written_since_are_in_the_next_search(both, table):
    query = table.queries[0]
    row = Row("999999", {"id": 999999, "half": 1}, {"v": query})
    for services in both:
        services.engine.upsert("rows", [row])
    assert [table.search(plan_of(query, "half", 1), engine).hits[0].pk for engine in (0, 1)] == ["999999"] * 2
    for services in both:
        services.engine.delete("rows", ["999999"])
    assert table.search(plan_of(query, "half", 1)).hits[0].pk != "999999"
