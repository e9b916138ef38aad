"""The bulk endpoint: the envelope is judged here, each document by itself, and OK means all of them."""

import pytest
from gateway_fakes import FakeServices, client_of

from havengate.codes import HaCode
from havengate.documents import Command, Failure, PushReport
from havengate.errors import Overloaded, RequestError

ADD = {"cmd": "add", "fields": {"id": 1, "title": "猫"}}
DELETE = {"fields": {"id": 2}, "cmd": "delete"}


def push(client, documents, source="photos", **headers):
    return client.post(f"/update/{source}/actions/bulk", json=documents, headers=headers)


def test_a_good_push_is_ok(services, client):
    answer = push(client, [ADD, DELETE], source="inst_photos")
    assert answer.status_code == 200
    assert answer.json["status"] == "OK"
    assert answer.json["errors"] == []
    assert services.documents.pushed == [("photos", [Command("add", ADD["fields"]), Command("delete", {"id": 2})])]


def test_bad_documents_are_named_and_the_good_ones_written(services, client):
    services.documents.report = PushReport(1, 0, (Failure(1, "2", HaCode.CONST_EXPRESSION_VALUE, "too big"),))
    answer = push(client, ["nonsense", ADD, ADD, {"cmd": "add"}])
    assert answer.status_code == 200
    assert answer.json["status"] == "ERROR"
    assert answer.json["written"] == 1
    assert [error["index"] for error in answer.json["errors"]] == [0, 2, 3]
    assert answer.json["errors"][1] == {"index": 2, "id": "2", "code": 2011, "message": "too big"}
    assert len(services.documents.pushed[0][1]) == 2


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"cmd": 1, "fields": {}}, {"cmd": "add", "fields": []}, {"cmd": "add", "fields": {}, "extra": 1}],
)
def test_a_misshapen_document_is_an_error_of_its_own(client, document):
    answer = push(client, [document])
    assert answer.json["status"] == "ERROR"
    assert [error["index"] for error in answer.json["errors"]] == [0]


@pytest.mark.parametrize("body", [{}, "text", None, {"cmd": "add", "fields": {}}])
def test_a_body_that_is_no_array_writes_nothing(services, client, body):
    answer = push(client, body)
    assert (answer.status_code, answer.json["status"]) == (200, "ERROR")
    assert answer.json["errors"][0]["index"] is None
    assert services.documents.pushed == []


def test_the_key_header_has_to_name_the_key(services, client):
    assert push(client, [ADD], **{"X-Opensearch-Swift-PK-Field": "id"}).json["status"] == "OK"
    answer = push(client, [ADD], **{"X-Opensearch-Swift-PK-Field": "title"})
    assert answer.json["status"] == "ERROR"
    assert "'id'" in answer.json["errors"][0]["message"]
    assert len(services.documents.pushed) == 1


def test_too_many_documents_write_nothing():
    services = FakeServices(push={"max_documents": 2})
    answer = push(client_of(services), [ADD, ADD, ADD])
    assert "the most is 2" in answer.json["errors"][0]["message"]
    assert services.documents.pushed == []


def test_an_unknown_table_is_named(client):
    answer = push(client, [ADD], source="inst_nowhere")
    assert answer.json["errors"][0]["code"] == 1001
    assert "photos" in answer.json["errors"][0]["message"]


def test_what_the_use_case_refuses_is_an_error_of_the_envelope(services, client):
    def refuse(*_):
        raise RequestError("65 pictures to embed, the most is 64")

    services.documents.push = refuse
    answer = push(client, [ADD])
    assert answer.json["status"] == "ERROR"
    assert answer.json["errors"][0]["message"] == "65 pictures to embed, the most is 64"


def test_a_push_that_finds_the_model_busy_says_when_to_come_back(services, client):
    def refuse(*_):
        raise Overloaded("256 are waiting", retry_after_s=3)

    services.documents.push = refuse
    answer = push(client, [ADD])
    assert (answer.status_code, answer.json["status"], answer.headers["Retry-After"]) == (200, "ERROR", "3")


def test_a_body_over_the_limit_is_an_http_error():
    answer = push(client_of(FakeServices(limits={"body": 1024})), [ADD] * 100)
    assert (answer.status_code, answer.json["code"]) == (413, "413")
