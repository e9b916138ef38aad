"""Every construct of the plan's JSON through POST /v1/tables/{table}/search, on the embedded engine."""

import json
from pathlib import Path

import pytest
from colour_model import ColourModel
from gateway_fakes import client_of
from hypothesis import HealthCheck, given, settings
from random_plans import PLANS
from support import open_colour_services

from havengate.documents import Command
from havengate.settings import Settings
from schemas.settings import TableSettings
from schemas.vendor import read_schema

DATA = json.loads((Path(__file__).parent / "data" / "searches.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    services = open_colour_services(Settings(data_dir=tmp_path_factory.mktemp("data")), ColourModel())
    spec = services.tables.create("goods", read_schema(json.dumps(DATA["schema"])), TableSettings())
    rows = [Command("add", row) for row in DATA["rows"]]
    assert services.documents.push(spec, rows).failures == ()
    client = client_of(services)

    def search(plan):
        return client.post("/v1/tables/goods/search", json=plan)

    yield search
    services.close()


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: case["about"])
def test_a_plan_finds(search, case):
    answer = search(case["plan"])
    assert answer.status_code == 200, answer.text
    found = answer.json
    assert [int(hit["pk"]) for hit in found["hits"]] == case["ids"]
    assert found["total"] == case.get("total", found["total"])
    assert found.get("aggregations") == case.get("aggregations")
    if "sort_values" in case:
        values = [value for hit in found["hits"] for value in hit["sort_values"]]
        assert values == pytest.approx([value for row in case["sort_values"] for value in row])
    if "certificate" in case:
        (shown,) = found["certificates"]
        assert [shown["requested"], shown["matched"], shown["returned"]] == case["certificate"]


@pytest.mark.parametrize(
    ("plan", "code", "place"),
    [
        ({"query": {"text": {"index": "prices", "text": "a"}}}, 1016, "'prices'"),
        ({"aggregates": [{"keys": ["brand"], "functions": [{"name": "sum", "value": "title"}]}]}, 1040, "'title'"),
        ({"distinct": {"key": "brand", "rounds": 1}}, 1068, "distinct.rounds"),
        ({"sort": [{"by": {"arith": {"op": "+", "left": {"field": "brand"}, "right": 1}}}]}, 2005, "'brand'"),
    ],
)
def test_a_wrong_plan_is_a_bad_request_that_names_the_place(search, plan, code, place):
    answer = search(plan)
    assert answer.status_code == 400
    (error,) = answer.json["errors"]
    assert error["code"] == code
    assert place in error["message"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plan=PLANS)
def test_whatever_a_plan_says_it_is_answered_or_refused_by_name(search, plan):
    answer = search(plan)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        (error,) = answer.json["errors"]
        assert error["code"] >= 1000
        assert 0 < len(error["message"]) < 500
