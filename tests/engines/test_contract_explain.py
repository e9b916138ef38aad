"""What an engine does for a query can be read, and run, before it is trusted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from engine_samples import compare, make_row, make_schema, make_spec, query

from engines.contract import PoolQuery, RowsQuery
from havengate.errors import RequestError


@pytest.fixture
def filled(engine):
    engine.create_table(make_spec(schema=make_schema(indexes=(("vector", 2, "SquaredEuclidean"),))))
    engine.upsert("t", [make_row(key, (key, 0), i8=key) for key in range(5)])
    return engine


@pytest.mark.parametrize(
    "asked", [query((0, 0), filter=compare("i8", ">", 1)), RowsQuery(compare("i8", ">", 1), limit=2)]
)
def test_an_explanation_is_json_and_its_profile_is_of_a_real_run(filled, asked):
    told = filled.explain("t", asked)
    assert "profile" not in told
    told = filled.explain("t", asked, profile=True)
    assert json.loads(json.dumps(told)) == told
    assert "i8" in json.dumps(told)
    assert told["profile"]


def test_a_query_that_cannot_run_cannot_be_explained(filled):
    with pytest.raises(RequestError):
        filled.explain("t", query((0, 0), index="nope"))
    with pytest.raises(RequestError):
        filled.explain("t", query((0, 0), filter=compare("nope", "=", 1)))


@pytest.mark.parametrize("mode", ["pre", "post"])
def test_a_query_for_the_true_best_compares_all(filled, mode):
    asked = query((0, 0), n=2, filter=compare("i8", ">", 1), filter_mode=mode, exact=True)
    told = filled.explain("t", asked, profile=True)
    assert told["profile"]
    assert "exact" in json.dumps(told)
    assert "approximate" not in json.dumps(told)


def test_vectors_are_cut(engine):
    engine.create_table(make_spec(schema=make_schema(indexes=(("vector", 512, "SquaredEuclidean"),))))
    told = engine.explain("t", PoolQuery("vector", np.full((1, 512), 0.125, np.float32), 10))
    assert len(json.dumps(told)) < 6000
