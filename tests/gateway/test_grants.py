"""Every route by every caller: a route that somebody adds is walked, too, and has to keep its tables to itself."""

import json
from pathlib import Path

import pytest
from access_samples import PASSWORD, basic, hashed
from gateway_fakes import FakeServices
from support import open_colour_services, photo_row

import gateway
from gateway.app import create_app
from gateway.application import Application
from gateway.auth import allow, install
from gateway.directory import Directory
from gateway.parts import Parts
from gateway.users import User
from havengate.documents import Command
from havengate.errors import Forbidden, Unauthorized, UnfitTable
from havengate.setting_groups import AuthSettings
from ingest.table_administration import open_administration
from schemas.settings import TableSettings
from schemas.templates import template

TOKEN = "a-token-of-this-start"
OPEN = {"/healthz", "/readyz"}
"""Probes say nothing about tables."""
OWN, OTHERS, NONE = "photos", "others_4711", "nowhere_4711"
GONE = f"gone_{OWN}"
"""Once a table; now it reads as another's name with an instance before it."""
EVERYBODY = {
    "nobody": {},
    "guest": {"tables": {OWN: "read"}},
    "maker": {"tables": {OWN: "write"}},
    "reader": {"role": "read"},
    "keeper": {"role": "read", "tables": {OWN: "write"}},
    "heir": {"tables": {OWN: "write", GONE: "write"}},
    "writer": {"role": "write"},
    "chief": {"role": "admin"},
}


@pytest.fixture
def services(settings, model, tmp_path):
    """Two tables with a row each, and a file of users of every kind."""
    users = [{"name": name, "password_hash": hashed(PASSWORD), **rights} for name, rights in EVERYBODY.items()]
    (tmp_path / "users.json").write_text(json.dumps({"users": users}))
    (tmp_path / "users.json").chmod(0o600)
    auth = settings.auth.model_copy(update={"file": tmp_path / "users.json"})
    opened = open_colour_services(settings.model_copy(update={"auth": auth}), model)
    for name in (OWN, OTHERS):
        opened.tables.create(name, template("base64"), TableSettings())
        opened.documents.push(opened.engine.table(name), [Command("add", photo_row(1, "red"))])
    yield opened
    opened.close()


@pytest.fixture
def app(services):
    administration = open_administration(services, "server")
    yield create_app(services, Parts(administration, TOKEN))
    administration.close()


class Caller:
    def __init__(self, app, name):
        self._client = app.test_client()
        self._headers = {"Authorization": basic(name)}

    def __call__(self, method, path, **sent):
        return self._client.open(path, method=method, headers=self._headers, **sent)

    def query(self, table, clauses="query=vector:'red&modal=text&n=1'&&config=format:json"):
        return self("GET", "/query", query_string={"query": f"cluster={table}&&{clauses}"})


def routes(app):
    """(method, path with a table that is there, and one with one that is not) of every route."""
    for rule in app.url_map.iter_rules():
        # An answer to HEAD is that to GET without its body.
        for method in rule.methods - {"HEAD"}:
            places = [
                {name: _value(converter, table) for name, converter in rule._converters.items()}
                for table in (OTHERS, NONE)
            ]
            yield rule, method, *(rule.build(place, append_unknown=False)[1] for place in places)


def _value(converter, table):
    """Every text in a path is a table's name to be guessed, the source of a push among them."""
    if type(converter).__name__ == "AnyConverter":
        return min(converter.items)
    return 1 if type(converter).__name__ == "IntegerConverter" else table


def test_who_may_do_nothing_gets_nothing_anywhere(app):
    nobody = Caller(app, "nobody")
    walked = set()
    for rule, method, path, _ in routes(app):
        if rule.rule not in OPEN:
            answer = nobody(method, path)
            assert (answer.status_code, answer.json) == (403, {"code": "403", "message": "Forbidden"}), (method, path)
            walked.add(rule.rule)
    assert {"/query", "/<table>/search", "/v1/tables/<table>/search", "/vector-service/fetch"} <= walked


def test_a_stranger_gets_nothing_anywhere(app):
    for rule, method, path, _ in routes(app):
        if rule.rule not in OPEN:
            answer = app.test_client().open(path, method=method)
            assert answer.status_code == 401, (method, path)
            assert answer.json["code"] == "401"


@pytest.mark.parametrize("name", ["guest", "maker"])
def test_no_path_tells_which_tables_there_are(app, name):
    caller = Caller(app, name)
    bodies = {"/<table>/search": {"query": "vector:'red&modal=text&n=1'"}, "/v1/tables/<table>/search": {"version": 1}}
    for rule, method, path, without in routes(app):
        sent = {} if method in ("GET", "HEAD") else {"json": bodies.get(rule.rule, [])}
        there, missing = caller(method, path, **sent), caller(method, without, **sent)
        assert OTHERS not in there.text, (method, path)
        if rule.arguments:
            assert (there.status_code, there.data) == (missing.status_code, missing.data), (method, path)
            assert there.status_code == 403, (method, path)


QUERIES = {
    "search": "query=vector:'red&modal=text&n=1'",
    "in json": "query=vector:'red&modal=text&n=1'&&config=format:json",
    "no such field": "query=vector:'red&modal=text&n=1'&&config=format:json&&filter=nope=1",
    "summary": "config=format:json,fetch_summary_type:rawpk&&fetch_summary={}:1",
    "empty summary": "config=format:json&&fetch_summary=,",
}


@pytest.mark.parametrize("clauses", QUERIES.values(), ids=QUERIES)
def test_a_query_of_a_table_that_is_not_granted_is_403_whether_it_is_there_or_not(app, clauses):
    guest = Caller(app, "guest")
    for table in (OTHERS, NONE, "general"):
        answer = guest.query(table, clauses.format(table))
        assert (answer.status_code, answer.json) == (403, {"code": "403", "message": "Forbidden"})
        text = f"cluster={table}&&{clauses.format(table)}"
        assert guest("POST", "/query", json={"assemblyQuery": text}).status_code == 403


def test_no_dialect_finds_tables_past_the_grants():
    """A hole that no walk over routes sees: a branch that resolves a name by itself."""
    folder = Path(gateway.__file__).parent
    resolving = [path.name for path in folder.rglob("*.py") if ".tables.resolve" in path.read_text()]
    assert resolving == ["auth.py"]


def test_a_second_table_of_one_request_is_judged_too(app):
    guest = Caller(app, "guest")
    for table in (OTHERS, NONE):
        both = f"{OWN}:1;{table}:1"
        answer = guest.query(OWN, f"config=format:json,fetch_summary_type:rawpk&&fetch_summary={both}")
        assert answer.status_code == 403
        body = {"query": "vector:'red&modal=text&n=1'", "cluster": [table]}
        assert guest("POST", f"/{OWN}/search", json=body).status_code == 403


def test_the_table_that_no_name_means_is_judged_too(app, services):
    services.tables.drop(OWN)
    search = "query=vector:'red&modal=text&n=1'"
    for name, status in (("guest", 403), ("reader", 200)):
        caller = Caller(app, name)
        texts = [f"cluster=general&&{search}", search, "config=format:json&&fetch_summary=,"]
        answers = [caller("GET", "/query", query_string={"query": text}) for text in texts]
        answers.append(caller("POST", "/general/search", json={"query": "vector:'red&modal=text&n=1'"}))
        answers += [caller("POST", "/vector-service/fetch", json={"ids": [1], **table}) for table in ({}, GENERAL)]
        assert [answer.status_code for answer in answers] == [status] * len(answers)


def test_what_is_wrong_with_the_table_that_no_name_means_is_not_told(app, services, monkeypatch):
    services.tables.drop(OWN)

    def unfit(_engine, name):
        raise UnfitTable(f"table {name!r} was changed by others")

    monkeypatch.setattr(type(services.engine), "table", unfit)
    assert Caller(app, "guest").query("general").status_code == 403
    assert "changed by others" in Caller(app, "reader").query("general").text


GENERAL = {"tableName": "general"}
PLAN = {"version": 1, "query": {"vector": {"index": "vector", "text": "red", "n": 1}}}


def test_a_grant_opens_its_table_in_every_dialect(app):
    guest = Caller(app, "guest")
    assert json.loads(guest.query(OWN).data)["status"] == "OK"
    summary = guest.query(OWN, f"config=format:json,fetch_summary_type:rawpk&&fetch_summary={OWN}:1")
    assert json.loads(summary.data)["result"]["numHits"] == 1
    assert guest("POST", f"/{OWN}/search", json={"query": "vector:'red&modal=text&n=1'"}).json["status"] == "OK"
    assert guest("POST", "/vector-service/fetch", json={"tableName": OWN, "ids": [1]}).json["totalCount"] == 1
    assert guest("GET", "/network/active").status_code == 200


def test_the_plan_api_judges_the_table_and_each_of_its_generations(app):
    for name, status in (("guest", 403), ("reader", 200)):
        for table in (OTHERS, f"{OTHERS}@g1"):
            answer = Caller(app, name)("POST", f"/v1/tables/{table}/search", json=PLAN)
            assert answer.status_code == status, answer.text


def test_a_grant_opens_each_generation_of_its_table(app):
    assert Caller(app, "guest")("POST", f"/v1/tables/{OWN}@g1/search", json=PLAN).status_code == 200


@pytest.mark.parametrize("table", [OTHERS, NONE])
def test_rows_of_other_tables_are_not_fetched(app, table):
    answer = Caller(app, "guest")("POST", "/vector-service/fetch", json={"tableName": table, "ids": [1]})
    assert answer.status_code == 403


def push(caller, source):
    return caller("POST", f"/update/{source}/actions/bulk", json=[{"cmd": "delete", "fields": {"id": 9}}])


@pytest.mark.parametrize(
    ("name", "source", "status"),
    [
        ("guest", OWN, 403),
        ("maker", OWN, 200),
        ("maker", OTHERS, 403),
        ("maker", NONE, 403),
        ("maker", f"instance_{OWN}", 403),
        ("reader", OWN, 403),
        ("keeper", OWN, 200),
        ("keeper", f"instance_{OWN}", 200),
        ("keeper", OTHERS, 403),
        ("heir", OWN, 200),
        ("heir", GONE, 403),
        ("writer", OTHERS, 200),
        ("writer", f"instance_{OWN}", 200),
        ("chief", OTHERS, 200),
    ],
)
def test_who_may_push_where(app, name, source, status):
    assert push(Caller(app, name), source).status_code == status


@pytest.mark.parametrize(("name", "status"), [("maker", 403), ("writer", 403), ("chief", 200)])
def test_admin_is_for_all_tables_only(app, name, status):
    for path in (f"/admin/tables/{OWN}", "/admin/tables", "/changes"):
        assert Caller(app, name)("GET", path).status_code == status


@pytest.mark.parametrize(("name", "status"), [("maker", 403), ("reader", 200)])
def test_metrics_name_tables_to_those_alone_who_read_all(app, name, status):
    assert Caller(app, name)("GET", "/metrics").status_code == status


def test_whoever_reads_all_tables_is_told_which_there_are(app):
    answer = json.loads(Caller(app, "reader").query(NONE).data)
    assert OTHERS in answer["errors"][0]["message"]


def test_a_view_that_lets_callers_in_by_itself_judges_tables_for_nobody_it_does_not_know():
    app = Application(__name__)
    install(app, Directory(AuthSettings(users=f"a:read:{hashed(PASSWORD)}")))
    with app.test_request_context("/"), pytest.raises(Unauthorized):
        allow("read", OWN)


def test_what_is_wrong_with_a_table_is_not_told_to_who_may_not_know_of_it(tmp_path):
    users = [{"name": "guest", "password_hash": hashed(PASSWORD), "tables": {OWN: "write"}}]
    (tmp_path / "users.json").write_text(json.dumps({"users": users}))
    services = FakeServices(auth={"file": tmp_path / "users.json"})

    def unfit(name, *_):
        raise UnfitTable(f"table {name!r} was changed by others")

    services.tables.resolve = services.tables.push_target = unfit
    guest = Caller(create_app(services), "guest")
    assert "changed by others" in guest.query(OWN).text
    assert "changed by others" in push(guest, OWN).text
    answers = [
        guest.query(OTHERS),
        push(guest, OTHERS),
        guest("POST", "/vector-service/fetch", json={"tableName": OTHERS, "ids": [1]}),
        guest("POST", f"/{OTHERS}/search", json={"query": "vector:'red'"}),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4


def test_a_grant_names_no_more_than_its_table():
    user = User("a", "none", "", {OWN: "write"})
    assert (user.best_role, user.role_on(OWN), user.role_on(OTHERS)) == ("write", "write", "none")
    assert Forbidden("x").http_status == 403
