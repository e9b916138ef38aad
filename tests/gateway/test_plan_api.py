"""The plan's own endpoint: HTTP's statuses, typed values."""

import json
from dataclasses import replace

from gateway_fakes import HIT, RESULT, VECTOR

from havengate.codes import HaCode
from havengate.errors import EngineError, ModelAway, Overloaded, RequestError, TimedOut
from havengate.types import Aggregate, AggregateFunction, Aggregation, Arith, Field, Group, Literal

PLAN = {"version": 1, "query": {"vector": {"index": "vector", "text": "cat", "n": 5}}, "limit": 3}


def search(client, body=PLAN):
    return client.post("/v1/tables/photos/search", json=body)


def test_a_plan_is_answered(services, client):
    answer = search(client)
    assert answer.status_code == 200, answer.text
    assert services.searcher.plans[0].table == "photos"
    assert services.searcher.plans[0].limit == 3
    assert answer.json["total"] == 3
    assert answer.json["hits"] == [
        {"pk": "7", "score": 0.25, "sort_values": [0.25, None], "fields": json.loads(json.dumps(HIT.fields))}
    ]
    assert answer.json["certificates"] == [
        {"index": "vector", "requested": 10, "matched": 3, "returned": 3, "strategy": "exact"}
    ]


def test_what_cut_a_pool_is_named(services, client):
    services.searcher.result = replace(RESULT, certificates=(replace(RESULT.certificates[0], cut_by="sf"),))
    assert search(client).json["certificates"][0]["cut_by"] == "sf"


def test_vectors_are_arrays_and_infinite_scores_null(services, client):
    hit = replace(HIT, vectors={"vector": VECTOR}, score=float("inf"), sort_values=(float("inf"),))
    services.searcher.result = replace(RESULT, hits=(hit,))
    (shown,) = search(client).json["hits"]
    assert shown["vectors"] == {"vector": [0.1, -2.5]}
    assert (shown["score"], shown["sort_values"]) == (None, [None])


def test_variables_stand_there_when_asked_for(services, client):
    assert "variables" not in search(client).json["hits"][0]
    values = {"a": 1, "b": ["x", "y"], "c": float("inf"), "d": {"k": 1.5}}
    services.searcher.result = replace(RESULT, hits=(replace(HIT, variables=values),))
    assert search(client).json["hits"][0]["variables"] == values | {"c": None}


def test_a_search_that_takes_too_long_is_a_gateway_timeout(services, client):
    services.searcher.result = TimedOut("too long")
    answer = search(client)
    assert answer.status_code == 504
    assert answer.json["errors"] == [{"code": 32018, "name": "QRS_PROCESS_TIMEOUT", "message": "too long"}]


def test_aggregations_stand_there_when_asked_for(services, client):
    assert "aggregations" not in search(client).json
    price = Arith("*", Field("price"), Literal(2))
    functions = (
        AggregateFunction("count"),
        AggregateFunction("sum", price),
        AggregateFunction("max", Field("tags", "w")),
    )
    groups = (Group(("红", 1), (2, 3.5, None)), Group(("b", 2), (1, float("inf"), "x")))
    found = Aggregation(Aggregate((Field("brand"), Field("kind")), functions), groups, total=7)
    services.searcher.result = replace(RESULT, aggregations=(found,))
    assert search(client).json["aggregations"] == [
        {
            "keys": ["brand", "kind"],
            "functions": ["count()", "sum((price*2))", "max(tags.w)"],
            "total": 7,
            "groups": [{"keys": ["红", 1], "values": [2, 3.5, None]}, {"keys": ["b", 2], "values": [1, None, "x"]}],
        }
    ]


def test_a_wrong_plan_is_a_bad_request(client):
    answer = search(client, PLAN | {"colour": "red"})
    assert answer.status_code == 400
    assert "colour" in answer.json["errors"][0]["message"]


def test_errors_have_code_name_and_the_http_status_of_their_kind(services, client):
    services.searcher.result = RequestError("no index 'x'", code=HaCode.INDEX_NOT_EXIST)
    answer = search(client)
    assert answer.status_code == 400
    assert answer.json["errors"] == [{"code": 1013, "name": "INDEX_NOT_EXIST", "message": "no index 'x'"}]
    services.searcher.result = EngineError("disk is gone")
    assert search(client).status_code == 503


def test_an_engine_that_is_away_leaves_a_line_for_the_operator(services, client, caplog):
    services.searcher.result = EngineError("the cluster is away")
    answer = search(client)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "gateway.errors"]
    assert line == f"request {answer.headers['X-Opensearch-Request-ID']}: the cluster is away"
    caplog.clear()
    services.searcher.result = RequestError("no index 'x'")
    assert search(client).status_code == 400
    assert not caplog.records


def test_an_unexpected_error_tells_no_details(services, client):
    services.searcher.result = ZeroDivisionError("the secret is 42")
    answer = search(client)
    assert (answer.status_code, answer.json["code"]) == (500, "500")
    assert "secret" not in answer.text
    assert answer.headers["X-Opensearch-Request-ID"] in answer.json["message"]


def test_a_busy_model_is_429_with_the_time_to_come_back(services, client):
    services.searcher.result = Overloaded("256 are waiting", retry_after_s=2)
    answer = search(client)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert answer.json["errors"][0]["name"] == "QRS_SESSION_POOL_EXCEED"


def test_a_model_server_that_is_away_is_503_and_leaves_a_line_in_the_log(services, client, caplog):
    services.searcher.result = ModelAway("the model server cannot be reached")
    answer = search(client)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, False)
    assert "cannot be reached" in caplog.text
