"""The audit lines: who gets one, what stands in it, and what does not."""

import json
import logging

import pytest
from access_samples import PASSWORD, basic, hashed
from gateway_fakes import FakeServices
from support import open_colour_services

from gateway.app import create_app
from gateway.parts import Parts
from havengate.setting_groups import ServerSettings
from ingest.table_administration import open_administration
from schemas.templates import template

USERS = ",".join(f"{role}er:{role}:{hashed(PASSWORD)}" for role in ("read", "write", "admin"))
FACTS = ("user", "address", "method", "route", "status", "table", "written", "deleted", "rejected", "left_out")


@pytest.fixture
def lines(caplog):
    """The facts of each line so far."""
    caplog.set_level(logging.INFO, "havengate.audit")

    def read():
        records = [record for record in caplog.records if record.name == "havengate.audit"]
        return [{name: getattr(record, name) for name in FACTS if hasattr(record, name)} for record in records]

    return read


def client_with(**settings):
    return create_app(FakeServices(auth={"users": USERS}, **settings)).test_client()


def push(client, name, password=PASSWORD, source="photos", **headers):
    body = [{"cmd": "add", "fields": {"id": 1, "title": "hush-hush"}}, 1]
    headers |= {"Authorization": basic(name, password)}
    return client.post(f"/update/{source}/actions/bulk", json=body, headers=headers)


def test_a_push_is_told_with_its_counts(lines):
    push(client_with(), "writeer")
    (line,) = lines()
    assert line == {
        "user": "writeer",
        "address": "127.0.0.1",
        "method": "POST",
        "route": "/update/<data_source>/actions/bulk",
        "status": 200,
        "table": "photos",
        "written": 1,
        "deleted": 0,
        "rejected": 1,
    }


def test_reading_is_not_told(lines):
    client = client_with()
    assert client.get("/network/active", headers={"Authorization": basic("reader")}).status_code == 200
    assert client.get("/healthz").status_code == 200
    assert lines() == []


def test_who_is_refused_is_told_but_no_name_that_nobody_has(lines):
    client = client_with()
    push(client, "reader")
    push(client, "reader", "wr0ng-secret")
    push(client, "my-passw0rd-by-mistake")
    client.get("/nowhere", headers={"Authorization": "nonsense"})
    client.get("/network/active")
    told = [(line["user"], line["status"], line["route"]) for line in lines()]
    route = "/update/<data_source>/actions/bulk"
    assert told == [
        ("reader", 403, route),
        ("reader", 401, route),
        ("unknown", 401, route),
        ("unknown", 401, ""),
        ("anonymous", 401, "/network/active"),
    ]


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/query", {"query_string": {"query": "cluster=vault&&query=vector:'red&modal=text'"}}),
        ("/query", {"query_string": {"query": "config=fetch_summary_type:rawpk&&fetch_summary=photos:1;vault:1"}}),
        ("/vector-service/fetch", {"json": {"tableName": "vault", "ids": [1]}}),
        ("/photos/search", {"json": {"query": "vector:'red&modal=text'", "cluster": ["vault"]}}),
        ("/images/vault/1", {}),
    ],
)
def test_a_refusal_names_the_table_wherever_it_stood(lines, tmp_path, path, sent):
    users = [{"name": "guest", "password_hash": hashed(PASSWORD), "tables": {"photos": "read"}}]
    (tmp_path / "users.json").write_text(json.dumps({"users": users}))
    client = create_app(FakeServices(auth={"file": tmp_path / "users.json"})).test_client()
    answer = client.open(
        path, method="POST" if "json" in sent else "GET", headers={"Authorization": basic("guest")}, **sent
    )
    assert answer.status_code == 403
    assert [(line["user"], line["table"]) for line in lines()] == [("guest", "vault")]


def test_knocking_does_not_fill_the_log_and_is_counted(lines):
    client = client_with()
    for _ in range(50):
        push(client, "reader")
    client.get("/network/active", environ_base={"REMOTE_ADDR": "10.0.0.1"})
    told = lines()
    assert len(told) == 6
    assert (told[-1]["address"], told[-1]["left_out"]) == ("10.0.0.1", 45)


def test_nothing_secret_stands_in_a_line(lines, caplog):
    client = client_with()
    push(client, "writeer")
    push(client, "writeer", "wr0ng-secret")
    push(client, "my-passw0rd-by-mistake")
    said = "\n".join(str(vars(record)) for record in caplog.records)
    assert len(lines()) == 3
    for secret in (PASSWORD, "wr0ng-secret", "my-passw0rd-by-mistake", "hush-hush", basic("writeer"), hashed(PASSWORD)):
        assert secret not in said


@pytest.fixture
def admin(settings, model):
    """A client over real services, where tables can be made."""
    services = open_colour_services(
        settings.model_copy(update={"auth": settings.auth.model_copy(update={"users": USERS})}), model
    )
    administration = open_administration(services, "server")
    yield create_app(services, Parts(administration, "t0ken")).test_client()
    administration.close()
    services.close()


def test_calls_of_admin_are_told_also_those_that_fail_or_read(admin, lines):
    def ask(method, path, body=None, **headers):
        return admin.open(path, method=method, json=body, headers=headers).status_code

    token, chief = {"Authorization": "Bearer t0ken", "X-Havengate-By": "ada"}, {"Authorization": basic("adminer")}
    schema = template("base64").to_json()
    assert ask("POST", "/admin/tables", {"name": "shoes", "schema": schema}, **token) == 201
    assert ask("GET", "/admin/tables/shoes", **chief) == 200
    assert ask("POST", "/admin/jobs", {"kind": "rollback", "table": "nowhere"}, **chief) == 404
    assert ask("GET", "/changes", **chief) == 200
    assert ask("DELETE", "/admin/tables/shoes", Authorization=basic("writeer")) == 403
    assert ask("DELETE", "/admin/tables/shoes", Origin="http://evil", **chief) == 403
    told = [(line["user"], line["method"], line["route"], line.get("table"), line["status"]) for line in lines()]
    assert told == [
        ("cli:ada", "POST", "/admin/tables", "shoes", 201),
        ("adminer", "GET", "/admin/tables/<table>", "shoes", 200),
        ("adminer", "POST", "/admin/jobs", "nowhere", 404),
        ("adminer", "GET", "/changes", None, 200),
        ("writeer", "DELETE", "/admin/tables/<table>", "shoes", 403),
        ("adminer", "DELETE", "/admin/tables/<table>", "shoes", 403),
    ]


FORWARDED = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7, 10.0.0.9", "X-Forwarded-Proto": "https"}


@pytest.mark.parametrize(
    ("hops", "headers", "address"),
    [
        (0, FORWARDED, "127.0.0.1"),
        (0, {"Forwarded": "for=6.6.6.6", "X-Real-IP": "6.6.6.6"}, "127.0.0.1"),
        (1, FORWARDED, "10.0.0.9"),
        (2, FORWARDED, "203.0.113.7"),
        (2, {"X-Forwarded-For": "6.6.6.6"}, "127.0.0.1"),
        (1, {}, "127.0.0.1"),
        (1, {"X-Forwarded-For": "203.0.113.7:4711"}, "203.0.113.7"),
        (1, {"X-Forwarded-For": "[2001:db8::1]:4711"}, "2001:db8::1"),
        (1, {"X-Forwarded-For": "2001:db8::1"}, "2001:db8::1"),
        (1, {"X-Forwarded-For": "fe80::1%any text at all"}, "fe80::1"),
        (1, {"X-Forwarded-For": "unknown"}, "127.0.0.1"),
        (1, {"X-Forwarded-For": "]["}, "127.0.0.1"),
        (1, {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil", "X-Forwarded-Prefix": "/evil"}, "6.6.6.6"),
    ],
)
def test_the_address_is_what_the_last_proxies_say_and_no_one_before_them(lines, hops, headers, address):
    push(client_with(server=ServerSettings(proxies=hops)), "writeer", **headers)
    assert [(line["address"], line["route"]) for line in lines()] == [(address, "/update/<data_source>/actions/bulk")]
