"""The document of the API: every route is in it and nothing else, it is OpenAPI 3.1, and the page shows all of it."""

import re
from html.parser import HTMLParser

import jsonschema_rs
import pytest
from gateway_fakes import FakeServices, client_of
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
from support import open_colour_services

from gateway.app import create_app
from gateway.openapi.document import document
from gateway.openapi.parts import JSON
from gateway.parts import Parts
from ingest.table_administration import open_administration

# What the web's own tools ask of every path by themselves.
IMPLICIT = {"HEAD"}
# Views that let callers in on other grounds than a role, too.
OWN_CHECKS = {("/images/{table}/{key}", "get"): "read"}


@pytest.fixture
def app(settings, model):
    services = open_colour_services(settings, model)
    administration = open_administration(services, "server")
    yield create_app(services, Parts(administration=administration, token="t"))
    administration.close()
    services.close()


@pytest.fixture(scope="module")
def whole():
    return document(administration=True)


def routes(app):
    """What werkzeug writes as ``<int:number>`` is ``{number}`` here."""
    return {
        (re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods - IMPLICIT
    }


def operations(api):
    return {(path, method): each for path, methods in api["paths"].items() for method, each in methods.items()}


def test_every_route_is_in_the_document_and_nothing_else(app, whole):
    assert operations(whole).keys() == routes(app)


def test_what_an_application_lacks_is_not_in_its_document():
    app = create_app(FakeServices())
    assert operations(document(administration=False)).keys() == routes(app)


def test_parameters_are_those_of_the_path(whole):
    for (path, _), operation in operations(whole).items():
        named = {each["name"] for each in operation["parameters"] if each.get("in") == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), path


def test_roles_are_those_of_the_views(app, whole):
    views = {
        (path, method.lower()): app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        for path, method in ((re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule.rule), m) for m in rule.methods - IMPLICIT)
    }
    for key, operation in operations(whole).items():
        role = OWN_CHECKS.get(key) or getattr(views[key], "havengate_role", "read")
        assert operation["description"].endswith("Anybody may call it." if role is None else f"Takes the role {role}.")


def test_it_is_openapi_3_1(whole):
    OPENAPI_31_VALIDATOR.validate(whole)


def test_names_of_operations_differ(whole):
    names = [operation["operationId"] for operation in operations(whole).values()]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere_and_every_schema_is_used(whole):
    found = set(re.findall(r"'\$ref': '#/components/(\w+)/(\w+)'", str(whole)))
    for kind, name in found:
        assert name in whole["components"][kind], name
    assert {name for kind, name in found if kind == "schemas"} == whole["components"]["schemas"].keys()


def test_examples_of_bodies_are_what_their_schemas_say(whole):
    for (path, _), operation in operations(whole).items():
        content = operation.get("requestBody", {}).get("content", {}).get(JSON)
        if content is None:
            continue
        validator = jsonschema_rs.validator_for({**content["schema"], "components": whole["components"]})
        for example in content["examples"].values():
            assert validator.is_valid(example["value"]), (path, example)


def test_it_is_served_as_it_is(app, whole):
    answer = app.test_client().get("/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json; charset=utf-8")
    assert answer.json == whole


class Page(HTMLParser):
    """Elements in order, with a stack that has to end empty."""

    VOID = frozenset({"meta"})

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def answer():
    return client_of(FakeServices()).get("/docs")


@pytest.fixture(scope="module")
def shown(answer):
    page = Page()
    page.feed(answer.text)
    assert page.open == []
    return page


def test_the_page_runs_nothing_and_asks_nobody(answer, shown):
    assert answer.content_type == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not {tag for tag, _ in shown.elements} & {"script", "img", "iframe", "link", "form", "object", "embed"}
    attributes = [name for _, given in shown.elements for name in given]
    assert not [name for name in attributes if name.startswith("on") or name in ("style", "src")]
    links = [given["href"] for tag, given in shown.elements if tag == "a"]
    assert links
    assert all(link.startswith("#") or link == "openapi.json" for link in links)


def test_its_style_is_the_one_that_its_policy_lets_in(answer):
    from base64 import b64encode
    from hashlib import sha256

    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert b64encode(sha256(style.encode()).digest()).decode() in answer.headers["Content-Security-Policy"]


def test_every_link_in_it_leads_somewhere(shown):
    names = [given["id"] for _, given in shown.elements if "id" in given]
    assert len(names) == len(set(names))
    for tag, given in shown.elements:
        if tag == "a" and given["href"].startswith("#"):
            assert given["href"][1:] in names


def test_it_shows_every_operation_parameter_and_example(shown):
    text = "".join(shown.texts)
    for (path, method), operation in operations(document(administration=False)).items():
        assert f"{method.upper()} {path}" in text
        assert operation["summary"] in text
    assert "curl -s http://127.0.0.1:8000/general/search" in text
    assert '"摩托车头盔"' in text


def test_what_stands_in_the_document_is_escaped(whole):
    from gateway.openapi.page import page

    told = dict(whole["info"]) | {"title": "<script>alert(1)</script>", "description": 'a `<b>` & "c"'}
    text = page(whole | {"info": told})[0].decode()
    assert "<script" not in text
    assert "<code>&lt;b&gt;</code> &amp; &quot;c&quot;" in text
