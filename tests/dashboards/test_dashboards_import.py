"""The saved objects API is asked as it wants to be asked, and its refusals are told."""

import json
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from dashboard_samples import EVERY_KIND, made, spec_of
from dashboards_double import dashboards

from havengate.dashboards.importing import Server, check_server, load
from havengate.errors import EngineError, Forbidden, RequestError, SettingsError, Unauthorized

PASSWORD = "quite sécret"
LINES = made(spec_of("t", *EVERY_KIND)).lines
COUNT = len(LINES.splitlines()) - 1


@pytest.fixture
def double():
    with dashboards() as one:
        yield one


def asked(double, **more):
    return Server(double.url + double.base, **({"timeout_s": 20.0} | more))


def test_all_objects_arrive(double):
    imported = load(asked(double), LINES)
    assert (imported.count, imported.failures) == (COUNT, ())
    assert ("dashboard", "havengate-dashboard") in double.kept
    assert double.kept["index-pattern", "havengate-t"]["attributes"]["title"] == "havengate-t"


def test_what_is_there_is_replaced(double):
    load(asked(double), LINES)
    imported = load(asked(double), LINES.replace("rows written by hour", "new"))
    assert (imported.count, imported.failures) == (COUNT, ())
    assert double.kept["visualization", "havengate-change-history.written"]["attributes"]["title"] == "new"


def test_the_user_the_tenant_and_the_base_path_are_sent(double):
    double.account, double.base = f"me:{PASSWORD}", "/_dashboards"
    assert load(asked(double, user="me", password=PASSWORD, tenant="global"), LINES).count == COUNT
    (_, target, headers, _) = double.seen[0]
    assert target == "/_dashboards/api/saved_objects/_import?overwrite=true"
    assert headers["securitytenant"] == "global"


def test_without_a_user_nobody_is_named(double):
    load(asked(double), LINES)
    (_, _, headers, _) = double.seen[0]
    assert not {"Authorization", "securitytenant"} & set(headers)


@pytest.mark.parametrize("more", [{}, {"user": "me", "password": "wrong"}])
def test_who_is_not_known_is_told_so(double, more):
    double.account = f"me:{PASSWORD}"
    with pytest.raises(Unauthorized, match="401 Authentication required"):
        load(asked(double, **more), LINES)
    assert double.kept == {}


def test_each_object_that_was_not_taken_is_named_with_its_reason(double):
    double.refused = {"dashboard": {"type": "conflict"}, "search": {"type": "unknown", "message": "no\nroom"}}
    imported = load(asked(double), LINES)
    assert imported.count == COUNT - 2
    assert set(imported.failures) == {
        "dashboard havengate-dashboard: conflict",
        "search havengate-t.rows: unknown: no\nroom",
    }


def test_references_that_are_missing_there_are_named(double):
    patternless = "\n".join(line for line in LINES.splitlines() if json.loads(line).get("type") != "index-pattern")
    imported = load(asked(double), patternless)
    assert imported.count == 1
    failure = "search havengate-t.rows: missing references: index-pattern havengate-t"
    assert failure in imported.failures


def test_a_failure_without_a_reason_is_one(double):
    double.trouble = (200, {}, b'{"success": false, "successCount": 2}')
    assert load(asked(double), LINES).failures == ("it was not said why",)


@pytest.mark.parametrize(
    ("trouble", "error", "message"),
    [
        ((200, {"Content-Type": "text/html"}, b"<html>Sign in"), EngineError, "not as the saved objects API.*<html>"),
        ((200, {}, b"[]"), EngineError, "not as the saved objects API"),
        ((200, {}, b'{"success": "perhaps", "successCount": "x"}'), EngineError, "not as the saved objects API"),
        ((200, {}, b"\xff\x00"), EngineError, "not as the saved objects API"),
        ((404, {"Content-Type": "text/html"}, b"<h1>no</h1>" + b"x" * 9999), EngineError, "404: <h1>no"),
        ((400, {}, b'{"message": "Can\'t import more than 3 objects"}'), RequestError, "400: Can't import more than 3"),
        ((403, {}, b'{"message": "no permissions"}'), Forbidden, "403 no permissions"),
        ((500, {}, b""), EngineError, "500: nothing more"),
        ((503, {}, b'{"message": {"deep": 1}}'), EngineError, "503"),
        ("drop", EngineError, "does not answer"),
    ],
)
def test_what_is_no_such_api_is_a_clear_error(double, trouble, error, message):
    double.trouble = trouble
    with pytest.raises(error, match=message) as caught:
        load(asked(double, user="me", password=PASSWORD), LINES)
    assert len(caught.value.message) < 600
    assert PASSWORD not in caught.value.message


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirection_is_not_followed_with_the_password(double, status):
    with dashboards() as other:
        double.trouble = (status, {"Location": f"{other.url}/api/saved_objects/_import"}, b"")
        with pytest.raises(EngineError, match=f"sends elsewhere.*{other.url}"):
            load(asked(double, user="me", password=PASSWORD), LINES)
        assert other.seen == []


def test_a_server_that_hangs_is_given_up(double):
    double.trouble = "hang"
    with pytest.raises(EngineError, match=r"does not answer: .*timed out"):
        load(asked(double, timeout_s=0.2), LINES)


def test_nobody_there_is_a_clear_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(EngineError, match=f"{url} does not answer: .*refused"):
            load(Server(url), LINES)


@pytest.mark.parametrize(
    "server",
    [
        Server("dashboards:5601"),
        Server("ftp://host"),
        Server("https://"),
        Server("https://me:secret@host"),
        Server("http://host:99999"),
        Server("http://[host"),
        Server("http://host", ca=Path("ca.pem")),
        Server("http://host/?security_tenant=x"),
        Server("http://host/#a"),
        Server("http://host/ a"),
        Server("http://hóst"),
        Server("http://host", user="a:b"),
        Server("http://host", user="a\nb"),
        Server("http://host", tenant="a\r\nX: 1"),
        Server("http://host", tenant="团队"),
    ],
)
def test_what_cannot_be_asked_is_refused_before(server):
    with pytest.raises(RequestError) as caught:
        check_server(server)
    assert "secret" not in caught.value.message


def test_no_password_is_shown():
    assert PASSWORD not in repr(Server("http://host", "me", PASSWORD))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A folder with cert.pem, which signs itself for localhost, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem"]
    command = ["openssl", "req", "-x509", "-days", "2", *key, "-out", "cert.pem", *names]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def secured(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with dashboards(context) as double:
        yield double


def test_a_certificate_that_was_named_is_trusted(secured, certificate):
    assert load(asked(secured, ca=certificate / "cert.pem"), LINES).count == COUNT


def test_a_certificate_that_nobody_trusts_gets_no_password(secured):
    with pytest.raises(EngineError, match="CERTIFICATE_VERIFY_FAILED"):
        load(asked(secured, user="me", password=PASSWORD), LINES)
    assert secured.seen == []


def test_certificates_that_cannot_be_read_are_named(secured, certificate, tmp_path):
    (tmp_path / "empty.pem").write_text("")
    for ca in (tmp_path / "none.pem", tmp_path / "empty.pem", certificate / "key.pem"):
        with pytest.raises(SettingsError, match=r"--ca .*\.pem"):
            load(asked(secured, ca=ca), LINES)
