"""Whatever text a request has: HTTP 200 with a body that clients can index, in the format that it asks for."""

import json
from pathlib import Path

import pytest
from colour_model import ColourModel
from gateway_fakes import client_of
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_requests import GOOD, HA_TEXTS
from support import open_colour_services
from xml_answers import read_xml

from havengate.documents import Command
from havengate.settings import Settings
from schemas.settings import TableSettings
from schemas.vendor import read_schema


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A gateway over a real engine."""
    services = open_colour_services(Settings(data_dir=tmp_path_factory.mktemp("data")), ColourModel())
    data = json.loads((Path(__file__).parent / "data" / "searches.json").read_text("utf-8"))
    spec = services.tables.create("goods", read_schema(json.dumps(data["schema"])), TableSettings())
    assert services.documents.push(spec, [Command("add", row) for row in data["rows"]]).failures == ()
    yield client_of(services)
    services.close()


def assert_readable_json(answer):
    body = json.loads(answer.data)
    assert isinstance(body["errors"], list)
    assert all(isinstance(error["code"], int) and error["message"] for error in body["errors"])
    for item in body["result"]["items"]:
        assert all(isinstance(value, str) for value in item["fields"].values())
        assert all(float(value) is not None for value in item["sortExprValues"])
    assert body["result"]["numHits"] == len(body["result"]["items"])
    assert isinstance(body["result"]["facet"], list)


def assert_readable_xml(answer):
    root = read_xml(answer.data)
    codes = [int(code.text) for code in root.iter("ErrorCode")]
    assert codes[0] == (2 if len(codes) > 1 else 0)
    assert len(root.findall("hits/hit")) == int(root.find("hits").attrib["numhits"])


@settings(max_examples=600, deadline=None)
@given(text=HA_TEXTS, by_get=st.booleans(), form=st.sampled_from(["", "json", "fulljson", "xml"]))
@example(text="query=" + "(" * 5000, by_get=False, form="")
@example(text="query=" + "a OR " * 5000 + "a", by_get=False, form="json")
@example(text="query=a&&filter=" + "(" * 5000, by_get=False, form="json")
@example(text="query=a&&filter=" + "a=1 AND " * 5000 + "a=1", by_get=False, form="")
def test_any_query_is_answered_in_its_format(client, text, by_get, form):
    if form:
        text = f"{text.rstrip('&')}&&config=format:{form}"
    answer = (
        client.get("/query", query_string={"query": text})
        if by_get
        else client.post("/query", json={"assemblyQuery": text})
    )
    assert answer.status_code == 200, answer.text
    if form in ("json", "fulljson"):
        assert answer.content_type == "application/json; charset=utf-8"
    elif form == "xml":
        assert answer.content_type == "text/xml; charset=utf-8"
    if answer.content_type.startswith("application/json"):
        assert_readable_json(answer)
    else:
        assert_readable_xml(answer)


@pytest.mark.parametrize("text", GOOD)
def test_good_requests_find_rows(client, text):
    answer = client.post("/query", json={"assemblyQuery": text})
    if answer.content_type.startswith("application/json"):
        assert (answer.json["errors"], answer.json["result"]["items"] != []) == ([], True)
    else:
        root = read_xml(answer.data)
        assert (root.findtext("Error/ErrorCode"), root.find("hits/hit") is not None) == ("0", True), answer.text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("nonsense && config = hit:1 , format : json", "application/json"),
        ("query=((&&config=format:xml&&config=hit:1,,format:json,", "application/json"),
        ("query='config=format:json'&&(", "text/xml"),
        ("query=((&&config=format:json&&config=hit:1", "text/xml"),
        ("query=((&&config=format:json,format:protobuf", "text/xml"),
        ("query=((&&config=format", "text/xml"),
    ],
)
def test_a_broken_request_is_refused_in_the_format_that_it_names(client, text, kind):
    assert client.post("/query", json={"assemblyQuery": text}).content_type.startswith(kind)
