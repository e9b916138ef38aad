"""https by the gateway's own server, in a process of its own: who gets through, who is sent away, what is renewed."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from certificates import make_pair, openssl

from gateway.tls import Certificates, load, open_certificates
from havengate.cli.remote import running_server
from havengate.errors import SettingsError
from havengate.setting_groups import ServerSettings

SCRIPT = Path(__file__).with_name("echo_site.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def pair(folder):
    return make_pair(folder, "first")


@pytest.fixture(scope="module")
def second(folder):
    return make_pair(folder, "second")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def files(folder, pair):
    """Those that the server is told; a test may renew them."""
    return [shutil.copy(path, folder / f"used{path.suffix}") for path in pair]


@pytest.fixture(scope="module")
def port(data_dir, files):
    server = json.dumps({"tls_cert": str(files[0]), "tls_key": str(files[1])})
    command = [sys.executable, str(SCRIPT), "open_echo", str(data_dir), "0", server]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line.startswith("havengate serves https://127.0.0.1:")
    yield int(line.rpartition(":")[2])
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in err


def trusting(cert):
    return ssl.create_default_context(cafile=str(cert))


def connected(port, context, **options):
    plain = socket.create_connection(("127.0.0.1", port), timeout=30)
    return context.wrap_socket(plain, server_hostname="localhost", **options)


def ask(port, cert, method="GET", *, path="/query?query=a", body=None, context=None):
    connection = HTTPSConnection("127.0.0.1", port, timeout=30, context=context or trusting(cert))
    try:
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_a_request_arrives_whole_and_the_application_knows_that_it_is_https(port, pair):
    status, seen = ask(port, pair[0], path="/query?query=" + "A" * 3_000_000)
    assert (status, seen["query"], seen["scheme"]) == (200, 3_000_006, "https")
    assert ask(port, pair[0], "POST", body=b"b" * 5_000_000)[1]["body"] == 5_000_000


def test_one_connection_serves_many_requests(port, pair):
    connection = HTTPSConnection("127.0.0.1", port, timeout=30, context=trusting(pair[0]))
    for size in (10, 100_000, 10):
        connection.request("POST", "/", body=b"b" * size)
        assert json.loads(connection.getresponse().read())["body"] == size
    connection.close()


def test_requests_sent_in_one_go_are_answered_one_by_one_and_the_end_is_said(port, pair):
    request = b"GET /?one HTTP/1.1\r\nHost: a\r\n\r\n"
    last = request.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n")
    context = trusting(pair[0])
    # An end without a word would raise.
    with connected(port, context, suppress_ragged_eofs=False) as connection:
        connection.sendall(request * 2 + last)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.count(b"HTTP/1.1 200 OK") == 3


def test_plain_http_is_told_that_this_is_https(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body) == {"code": "400", "message": "this port speaks https"}


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x80" * 64])
def test_who_does_not_shake_hands_is_dropped_and_keeps_nobody_waiting(port, pair, sent):
    stalled = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(16)]
    for connection in stalled:
        connection.sendall(sent)
    assert ask(port, pair[0])[0] == 200
    for connection in stalled:
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            pass
        connection.close()


def test_a_request_that_is_refused_while_it_comes_is_answered(port, pair):
    with connected(port, trusting(pair[0])) as connection:
        try:
            for _ in range(16):
                connection.sendall(b"GET /?" + b"A" * (1 << 20))
        except OSError:
            pass  # the server has said enough
        assert connection.recv(65536).startswith(b"HTTP/1.1 414 ")


def test_a_request_that_stalls_inside_of_tls_is_given_up(port, pair):
    with connected(port, trusting(pair[0])) as connection:
        connection.sendall(b"GET / HTT")
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_old_versions_of_tls_are_refused(port, pair):
    context = trusting(pair[0])
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        ask(port, pair[0], context=context)
    context = trusting(pair[0])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert ask(port, pair[0], context=context)[0] == 200


def test_rubbish_inside_of_tls_is_refused_in_json(port, pair):
    with connected(port, trusting(pair[0])) as connection:
        connection.sendall(b"rubbish\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_the_commands_of_the_owner_ask_by_the_certificate_itself(port, data_dir, files, second):
    file = data_dir / "server.json"
    said = json.loads(file.read_text())
    assert (said["url"], said["certificate"]) == (f"https://127.0.0.1:{port}", str(files[0]))
    file.write_text(json.dumps(said | {"token": "t"}))
    assert running_server(data_dir).url == said["url"]
    file.write_text(json.dumps(said | {"token": "t", "certificate": str(second[0])}))
    assert running_server(data_dir) is None
    file.write_text(json.dumps(said))


def test_a_renewed_pair_is_served_without_a_restart(port, files, pair, second):
    for source, target in zip(second, files, strict=True):
        Path(shutil.copy(source, f"{target}.new")).replace(target)
    deadline = time.monotonic() + 60
    while True:
        try:
            assert ask(port, second[0])[0] == 200
            break
        except ssl.SSLCertVerificationError:
            assert time.monotonic() < deadline
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(port, pair[0])


# --- the pair itself ------------------------------------------------------------------------------


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_half_of_a_renewal_leaves_the_former_certificate(tmp_path, pair, second, caplog):
    files = [Path(shutil.copy(path, tmp_path / path.name)) for path in pair]
    clock = Clock()
    certificates = Certificates(*files, clock)
    before = certificates.context()
    shutil.copy(second[0], files[0])
    for clock.now in (0.5, 2.0, 4.0):
        assert certificates.context() is before
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    shutil.copy(second[1], files[1])
    clock.now = 6.0
    assert certificates.context() is not before


def test_a_pair_that_could_not_be_read_is_read_as_soon_as_it_can(tmp_path, pair, second, monkeypatch):
    files = [Path(shutil.copy(path, tmp_path / path.name)) for path in pair]
    clock = Clock()
    certificates = Certificates(*files, clock)
    before = certificates.context()
    for source, target in zip(second, files, strict=True):
        shutil.copy(source, target)

    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", refuse)
        for clock.now in (2.0, 4.0):
            assert certificates.context() is before
    clock.now = 6.0
    assert certificates.context() is not before


def test_neither_file_is_http_and_one_alone_is_an_error(pair):
    assert open_certificates(ServerSettings()) is None
    with pytest.raises(SettingsError, match="TLS_KEY is missing"):
        open_certificates(ServerSettings(tls_cert=pair[0]))
    with pytest.raises(SettingsError, match="TLS_CERT is missing"):
        open_certificates(ServerSettings(tls_key=pair[1]))


def test_a_pair_that_cannot_be_used_is_named(tmp_path, pair, second):
    expired = make_pair(tmp_path, "expired", days=-1)
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    locked = tmp_path / "locked.key"
    openssl(tmp_path, "rsa", "-aes128", "-passout", "pass:secret", "-in", pair[1], "-out", locked)
    for cert, key, says in (
        (pair[0], second[1], "second.key is not the key of the certificate in"),
        (*expired, "expired.pem: certificate has expired"),
        (tmp_path / "none.pem", pair[1], "TLS_CERT: .*none.pem: No such file"),
        (pair[0], tmp_path, "TLS_KEY: .*: Is a directory"),
        (rubbish, pair[1], "is no PEM file that can be used"),
        (pair[0], rubbish, "is no PEM file that can be used"),
        (pair[0], locked, "locked.key needs a password"),
    ):
        with pytest.raises(SettingsError, match=says):
            load(cert, key)


def test_a_server_with_an_expired_certificate_does_not_start(tmp_path):
    cert, key = make_pair(tmp_path, "expired", days=-1)
    environment = os.environ | {
        "HAVENGATE_DATA_DIR": str(tmp_path / "data"),
        "HAVENGATE_SERVER__TLS_CERT": str(cert),
        "HAVENGATE_SERVER__TLS_KEY": str(key),
    }
    command = [sys.executable, "-m", "havengate", "serve", "--port", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("expired.pem: certificate has expired\n")
    assert done.stderr.count("\n") == 1
