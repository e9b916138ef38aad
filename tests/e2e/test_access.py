"""A gateway with users in a file, https, rates and an audit log: the vendor's SDK, the commands, the files."""

import json
import ssl
import time
import urllib.error
import urllib.request
from base64 import b64encode

import pytest
from alibabacloud_ha3engine import client, models
from certificates import make_pair
from served import Served
from support import run_cli
from Tea.exceptions import TeaException

from schemas.templates import template

SUMMARY = "config=format:json,fetch_summary_type:rawpk&&fetch_summary={}:1"


class Site(Served):
    """One folder with everything; ``cert`` is what clients trust."""

    def __init__(self, folder):
        self.cert, key = make_pair(folder)
        self.users, self.audit = folder / "users.json", folder / "audit.log"
        self.env = {
            "HAVENGATE_AUTH__FILE": str(self.users),
            "HAVENGATE_SERVER__TLS_CERT": str(self.cert),
            "HAVENGATE_SERVER__TLS_KEY": str(key),
            "HAVENGATE_SERVER__PROXIES": "1",
            "HAVENGATE_LOG__FORMAT": "json",
            "HAVENGATE_LOG__AUDIT": str(self.audit),
        }
        self._folder = folder
        self.add("chief", "--role", "admin")
        self.add("maker", "--table", "shoes=write")
        super().__init__(folder / "data", **self.env)

    def add(self, name, *rights):
        self.user("add", name, *rights, input=f"{name}'s password\n")

    def user(self, *arguments, **options):
        return run_cli(self._folder / "data", "user", *arguments, env=self.env, **options)

    def status(self, name, path, **headers):
        """Of a GET by that user."""
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        headers["Authorization"] = "Basic " + b64encode(f"{name}:{name}'s password".encode()).decode()
        request = urllib.request.Request(self.record["url"] + path, headers=headers)
        try:
            with urllib.request.urlopen(
                request, timeout=30, context=ssl.create_default_context(cafile=self.cert)
            ) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def audited(self):
        return [json.loads(line) for line in self.audit.read_text().splitlines()]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("access")
    site = Site(folder)
    for table in ("shoes", "vault"):
        schema = folder / f"{table}.json"
        schema.write_text(json.dumps(template("base64").to_json()))
        # The command asks the server, whose certificate is not made out to 127.0.0.1 alone and which nobody signed.
        assert site.cli("table", "create", table, "--schema", schema, env=site.env).returncode == 0
    yield site
    assert site.stop() == 0
    assert "Traceback" not in site.log.read_text()


@pytest.fixture
def sdk(site, monkeypatch):
    """The vendor's client for a user; it trusts what the environment names."""
    monkeypatch.setenv("SSL_CERT_FILE", str(site.cert))

    def connect(name):
        config = models.Config(
            endpoint=site.record["url"].partition("://")[2],
            instance_id="",
            protocol="https",
            access_user_name=name,
            access_pass_word=f"{name}'s password",
        )
        return client.Client(config)

    return connect


def search(connection, query):
    return json.loads(connection.search(models.SearchRequestModel({}, models.SearchQuery(query=query))).body)


def push(connection, table):
    document = [{"cmd": "delete", "fields": {"id": 1}}]
    return json.loads(connection.push_documents(table, "id", models.PushDocumentsRequestModel({}, document)).body)


def refused(call, *arguments):
    with pytest.raises(TeaException) as error:
        call(*arguments)
    return error.value.code, error.value.data["errors"]


FORBIDDEN = (403, {"code": "403", "message": "Forbidden"})


def test_the_sdk_over_https_does_what_is_granted_and_hears_403_for_the_rest(sdk):
    maker = sdk("maker")
    assert push(maker, "shoes")["status"] == "OK"
    assert search(maker, SUMMARY.format("shoes"))["status"] == "OK"
    for table in ("vault", "nowhere"):
        assert refused(push, maker, table) == FORBIDDEN
        assert refused(search, maker, SUMMARY.format(table)) == FORBIDDEN
    assert refused(push, sdk("stranger"), "shoes") == (401, {"code": "401", "message": "Unauthorized"})
    assert search(sdk("chief"), SUMMARY.format("vault"))["status"] == "OK"


def test_the_sdk_hears_429_when_it_asks_too_often(site, sdk):
    site.add("hasty", "--role", "read", "--rate", "0.1")
    until(lambda: site.status("hasty", "/network/active") == 200)
    code, said = refused(search, sdk("hasty"), SUMMARY.format("shoes"))
    assert (code, said["code"]) == (429, "429")


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_user_comes_and_goes_while_it_serves(site):
    site.add("guest", "--role", "read")
    until(lambda: site.status("guest", "/network/active") == 200)
    site.user("remove", "guest")
    until(lambda: site.status("guest", "/network/active") == 401)


def test_a_broken_file_lets_nobody_in_and_nobody_out_and_is_said(site):
    whole = site.users.read_bytes()
    site.users.write_text('{"users": [')
    context = ssl.create_default_context(cafile=site.cert)

    def ready():
        try:
            answer = urllib.request.urlopen(site.record["url"] + "/readyz", timeout=30, context=context)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return json.load(answer)

    until(lambda: site.status("maker", "/network/active") == 200 and "users' file" in ready().get("message", ""))
    assert site.log.read_text().count("the users stay as they were") == 1
    site.users.write_bytes(whole)
    until(lambda: site.status("maker", "/network/active") == 200 and "users' file" not in ready().get("message", ""))


def test_the_audit_log_names_who_did_what_from_where_and_nothing_secret(site, sdk):
    push(sdk("maker"), "shoes")
    assert site.status("maker", "/admin/tables", X_Forwarded_For="6.6.6.6, 203.0.113.7") == 403
    lines = site.audited()
    written = next(line for line in reversed(lines) if line["user"] == "maker" and line["status"] == 200)
    assert (written["table"], written["deleted"], written["route"]) == (
        "shoes",
        0,
        "/update/<data_source>/actions/bulk",
    )
    assert written["request_id"]
    assert (lines[-1]["user"], lines[-1]["status"], lines[-1]["address"]) == ("maker", 403, "203.0.113.7")
    created = [line for line in lines if line["route"] == "/admin/tables" and line["status"] == 201]
    assert [line["table"] for line in created] == ["shoes", "vault"]
    assert all(line["user"].startswith("cli:") for line in created)
    said = site.audit.read_text() + site.log.read_text()
    for secret in ("'s password", site.record["token"], "scrypt:"):
        assert secret not in said


def test_without_users_nothing_is_served_behind_a_proxy(tmp_path):
    environment = {"HAVENGATE_SERVER__PROXIES": "1"}
    done = run_cli(tmp_path, "serve", "--port", "0", env=environment, check=False)
    assert done.returncode == 2
    assert "a server behind a proxy (HAVENGATE_SERVER__PROXIES) can be reached" in done.stderr
    assert list(tmp_path.iterdir()) == []
