"""Fetch by key in the Vector edition's shape."""

import pytest
from gateway_fakes import FakeServices, FakeTables, client_of

from engines.contract import TableSpec
from havengate.errors import EngineError
from havengate.types import Row
from schemas.settings import TableSettings
from schemas.table import FieldSpec, FieldType, TableSchema


def fetch(client, **body):
    return client.post("/vector-service/fetch", json=body)


def test_rows_come_with_typed_keys_and_no_error_keys(services, client):
    answer = fetch(client, tableName="photos", ids=["7"])
    assert answer.json["result"] == [{"id": 7, "fields": {"id": 7, "title": "a"}}]
    assert answer.json["totalCount"] == 1
    assert isinstance(answer.json["totalTime"], float)
    assert not {"errorCode", "errorMsg"} & answer.json.keys()
    assert services.documents.fetched == [("photos", ("7",), False, None)]


def test_vectors_come_when_asked_for(client):
    (item,) = fetch(client, tableName="photos", ids=["7"], includeVector=True).json["result"]
    assert item["vector"] == [0.1, -2.5]


def test_a_vector_named_as_output_field_stands_among_the_fields(services, client):
    (item,) = fetch(client, tableName="photos", ids=["7"], outputFields=["title", "vector"]).json["result"]
    assert item["fields"]["vector"] == [0.1, -2.5]
    assert services.documents.fetched[0][3] == ("title", "vector")


def test_a_text_key_stays_text():
    services = FakeServices()
    schema = TableSchema({"id": FieldSpec("id", FieldType.STRING)}, "id", {})
    services.tables = FakeTables(TableSpec("names", schema, {}, TableSettings(), {}))
    services.documents.rows = [Row("007", {"id": "007"})]
    assert fetch(client_of(services), tableName="names", ids=["007"]).json["result"][0]["id"] == "007"


def test_beside_ids_the_vendor_ignores_the_rest(client):
    answer = fetch(client, tableName="photos", ids=["7"], filter="a=1", sort="id", limit=1, offset=3, kvpairs={})
    assert answer.json["totalCount"] == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"tableName": "photos"}, "ids is missing"),
        ({"tableName": "photos", "filter": "a=1"}, "not by filter"),
        ({"ids": ["1"], "tableName": "elsewhere"}, "photos"),
        ({"ids": ["1"], "tableName": 5}, "tableName"),
        ({"ids": "1"}, "ids"),
        ({"ids": [1.5]}, "ids"),
        ({"ids": [True]}, "ids"),
        ({"ids": ["1"] * 3}, "the most is 2"),
        ({"ids": ["1"], "includeVector": "yes"}, "includeVector"),
        ({"ids": ["1"], "outputFields": "title"}, "outputFields"),
        ({"ids": ["1"], "topK": 3}, "topK"),
        ([], "object"),
    ],
)
def test_errors_are_http_200_with_code_and_message(body, says):
    client = client_of(FakeServices(limits={"fetch_ids": 2}))
    answer = client.post("/vector-service/fetch", json=body)
    assert answer.status_code == 200
    assert answer.json["errorCode"] > 0
    assert says in answer.json["errorMsg"]
    assert answer.json["result"] == []


def test_an_engine_that_fails_is_an_error_too(services, client):
    def fail(*_, **__):
        raise EngineError("disk is gone")

    services.documents.fetch = fail
    assert fetch(client, ids=["1"]).json["errorMsg"] == "disk is gone"
