"""Every example of the API's document, sent as it stands: it succeeds and is answered as the document says."""

from urllib.parse import urlsplit

import jsonschema_rs
import pytest
from hostile_site import TOKEN, open_app

from gateway.openapi.document import document
from gateway.openapi.page import address
from gateway.openapi.parts import JSON


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with open_app(tmp_path_factory.mktemp("examples") / "data") as app:
        yield app.test_client()


@pytest.fixture(scope="module")
def api():
    return document(administration=True)


def calls(api):
    """(method, address, body, operation) of every example; what makes a job comes before what asks for one."""
    found = []
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get(JSON, {})
            bodies = [example["value"] for example in content.get("examples", {}).values()] or [None]
            found += [(method, address(path, operation), body, operation) for body in bodies]
    # Sorting is stable: a table is made before it is changed, and dropped last.
    return sorted(found, key=lambda call: (call[0] == "delete", "/admin/jobs/" in call[1], call[0] == "get"))


def test_every_example_succeeds_and_is_answered_as_promised(client, api):
    for method, url, body, operation in calls(api):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = client.open(url, method=method, json=body, headers=headers)
        promised = operation["responses"].get(str(answer.status_code))
        assert 200 <= answer.status_code < 300, (url, answer.text)
        assert promised is not None, url
        assert answer.mimetype in promised["content"], url
        if answer.is_json:
            assert not answer.json.get("errors"), (url, answer.text)
            schema = promised["content"][JSON]["schema"] | {"components": api["components"]}
            jsonschema_rs.validator_for(schema).validate(answer.json)


def test_the_commands_of_the_page_are_those_calls(api, client):
    page = client.get("/docs", headers={"Authorization": f"Bearer {TOKEN}"}).text
    for _, url, _, _ in calls(api):
        assert f"http://127.0.0.1:8000{urlsplit(url).path}" in page
