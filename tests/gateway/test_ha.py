"""GET and POST /query: what comes in reaches the planner, what goes out can be read by every known client."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest
from gateway_fakes import HIT, RESULT, VECTOR, FakeServices, client_of

from havengate.codes import HaCode
from havengate.errors import EngineError, Overloaded, RequestError
from havengate.types import PicturePayload, Span, TextPayload

QUERY = "query=vector:'cat&modal=text&n=10'&&config=start:0,hit:3,format:json&&cluster=general"


def get(client, text, **headers):
    return client.get("/query?" + urlencode({"query": text}), headers=headers)


def post(client, text):
    return client.post("/query", json={"assemblyQuery": text})


@pytest.mark.parametrize("send", [get, post])
def test_a_query_reaches_the_search_whole(services, client, send):
    answer = send(client, QUERY)
    assert answer.json["errors"] == [], answer.text
    (plan,) = services.searcher.plans
    assert (plan.table, plan.limit, plan.query.payload, plan.query.n) == ("photos", 3, TextPayload("cat"), 10)


@pytest.mark.parametrize("send", [get, post])
def test_the_base64_of_a_picture_arrives_letter_by_letter(services, client, send):
    picture = "+/9" * 100_000 + "=="
    send(client, f"query=vector:'{picture}&modal=image&n=10'&&config=format:json")
    assert services.searcher.plans[0].query.payload == PicturePayload(picture)


def test_the_answer_speaks_both_vocabularies(client):
    body = get(client, QUERY, **{"X-Opensearch-Request-ID": "abc123"}).json
    assert (body["status"], body["request_id"], body["errors"]) == ("OK", "abc123", [])
    result = body["result"]
    assert (result["totalHits"], result["total"], result["viewtotal"]) == (3, 3, 3)
    assert (result["numHits"], result["num"]) == (1, 1)
    assert (result["coveredPercent"], result["facet"], result["warnings"]) == (100.0, [], [])
    assert isinstance(result["searchtime"], float)
    assert body["tracer"] == ""


def test_fields_are_strings_and_sort_values_castable(client):
    (item,) = get(client, QUERY).json["result"]["items"]
    assert item["fields"] == {
        "id": "7",
        "title": "摩托车",
        "price": "0.1",
        "tags": "a\tb",
        "extra": '{"color": "red"}',
    }
    assert item["sortExprValues"] == ["0.25", "0"]
    assert [float(value) for value in item["sortExprValues"]] == [0.25, 0.0]
    assert "attribute" not in item


def test_the_attribute_clause_brings_typed_arrays_and_vectors(services, client):
    services.searcher.result = replace(RESULT, hits=(replace(HIT, vectors={"vector": VECTOR}),))
    (item,) = get(client, f"{QUERY}&&attribute=title,id,vector,cate_id").json["result"]["items"]
    assert item["attribute"] == {"title": ["摩托车"], "id": [7], "vector": [0.1, -2.5]}
    assert item["fields"]["vector"] == "0.1,-2.5"


def test_one_certificate_is_an_object_several_are_a_list_none_is_null(services, client):
    certificate = {"index": "vector", "requested": 10, "matched": 3, "returned": 3, "strategy": "exact"}
    assert get(client, QUERY).json["result"]["certificate"] == certificate
    services.searcher.result = replace(RESULT, certificates=RESULT.certificates * 2)
    assert get(client, QUERY).json["result"]["certificate"] == [certificate] * 2
    services.searcher.result = replace(RESULT, certificates=())
    assert get(client, QUERY).json["result"]["certificate"] is None


def test_stages_are_traced_when_asked(client):
    assert get(client, QUERY.replace("hit:3", "hit:3,trace:INFO")).json["tracer"].splitlines() == [
        "embed: 500.000 ms",
        "index vector: 10 asked for, 3 match, 3 returned (exact)",
    ]
    assert get(client, QUERY.replace("hit:3", "hit:3,trace:ERROR")).json["tracer"] == ""


def test_warnings_of_the_search_are_shown(services, client):
    services.searcher.result = replace(RESULT, warnings=("config key 'x' has no meaning",))
    assert get(client, QUERY).json["result"]["warnings"] == ["config key 'x' has no meaning"]


@pytest.mark.parametrize("send", [get, post])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("vector:'cat&modal=text'&&config=format:json", 1056),
        ("vector:'cat'&&config=format:json", 1002),
        ("nonsense=1&&query=vector:'cat&modal=text'&&config=hit:1,format:fulljson", 1056),
        ("query=vector:'cat&modal=text'&&cluster=elsewhere&&config=format:json", 1001),
        ("query=elsewhere:'cat&modal=text'&&config=format:json", 1013),
        ("query=vector:&&config=format:json", 1051),
        ("query=vector:'cat&modal=text'&&config=format:json,start:4999,hit:2", 1005),
        ("config=format:json,hit:many", 2023),
    ],
)
def test_errors_are_http_200_over_an_empty_result(client, send, text, code):
    answer = send(client, text)
    assert answer.status_code == 200
    (error,) = answer.json["errors"]
    assert error["code"] == code
    assert answer.json["status"] == "ERROR"
    assert (answer.json["result"]["items"], answer.json["result"]["totalHits"]) == ([], 0)


def test_an_error_points_into_the_request(services, client):
    services.searcher.result = RequestError("no index 'vector'", code=HaCode.INDEX_NOT_EXIST, span=Span(6, 12))
    (error,) = get(client, QUERY).json["errors"]
    assert error["span"] == [6, 12]
    assert error["message"].startswith("QueryClause: index not exist. no index 'vector'\n  query=vector")
    assert error["message"].endswith("\n        ^^^^^^")


def test_an_engine_that_fails_is_an_error_of_the_answer(services, client):
    services.searcher.result = EngineError("disk is gone")
    answer = get(client, QUERY)
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (200, 30001)


def test_a_busy_model_is_the_engines_own_busy_and_says_when_to_come_back(services, client):
    services.searcher.result = Overloaded("256 are waiting", retry_after_s=2)
    answer = get(client, QUERY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (200, "2")
    assert answer.json["errors"][0]["code"] == 11001


def test_an_unexpected_error_is_http_500_without_details(services, client):
    services.searcher.result = ZeroDivisionError("the secret is 42")
    answer = get(client, QUERY)
    assert (answer.status_code, answer.json["code"]) == (500, "500")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "send",
    [
        lambda client: client.get("/query?sql=query%3Dselect+1%26%26kvpair%3Dformat%3Ajson"),
        lambda client: client.post("/query?type=sql", json={"assemblyQuery": "query=select 1"}),
    ],
)
def test_sql_is_refused(services, client, send):
    answer = send(client)
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (200, 8000)
    assert services.searcher.plans == []


@pytest.mark.parametrize(
    ("send", "says"),
    [
        (lambda client: client.get("/query"), "query="),
        (lambda client: client.get("/query?query=%FF"), "UTF-8"),
        (lambda client: client.post("/query"), "not JSON"),
        (lambda client: client.post("/query", json={}), "assemblyQuery"),
        (lambda client: client.post("/query", json={"assemblyQuery": 5}), "assemblyQuery"),
        (lambda client: client.post("/query", data=b'{"assemblyQuery": "\\ud800"}'), "hex escape"),
    ],
)
def test_a_request_without_a_query_says_what_is_missing(client, send, says):
    answer = send(client)
    assert answer.status_code == 200
    assert says in answer.json["errors"][0]["message"]


def test_a_query_over_the_limit_is_refused():
    client = client_of(FakeServices(limits={"query_chars": 1024}))
    answer = post(client, "config=format:json&&query=" + "x" * 1025)
    assert "the most is 1024" in answer.json["errors"][0]["message"]


@pytest.mark.parametrize(
    ("header", "pair", "expected"),
    [("h1", "k1", "h1"), (None, "k1", "k1"), ("two words", "k1", "k1"), (None, "two words", None)],
)
def test_the_request_id_is_the_clients_where_it_is_one(client, header, pair, expected):
    headers = {} if header is None else {"X-Opensearch-Request-ID": header}
    answer = get(client, f"{QUERY}&&kvpairs=__ops_request_id:{pair}", **headers)
    assert answer.headers["X-Opensearch-Request-ID"] == answer.json["request_id"]
    assert answer.json["request_id"] == expected or (expected is None and len(answer.json["request_id"]) == 32)
