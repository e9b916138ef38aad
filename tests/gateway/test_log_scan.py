"""A whole `havengate serve` at level debug under every kind of request: no picture, password or token in its log."""

import base64
import io
import json
import os
import random
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import urlencode, urlsplit

import pytest
from PIL import Image

from gateway.users import hash_password
from havengate.image_tokens import load_key, make
from havengate.services import services
from havengate.settings import Settings
from schemas.settings import TableSettings
from schemas.templates import template

PASSWORD, WRONG = "correct-horse-battery", "wrong-horse-guess"
OSS_KEY, OSS_SECRET = "LTAI-scan-key", "oss-secret-of-a-schema"
IMAGE_KEY = "image-key-of-the-settings-0123456789"
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) [\w.]+ \[[\w.,-]+\] \S|    \| ")


def noise(seed):
    """A picture's Base64, some thousand signs that occur nowhere else."""
    out = io.BytesIO()
    Image.frombytes("RGB", (48, 48), random.Random(seed).randbytes(48 * 48 * 3)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


PICTURES = [noise(seed) for seed in range(3)]


class Served:
    """The process, and what it was sent."""

    def __init__(self, data_dir, form):
        self.hash = hash_password(PASSWORD)
        self.ids = []
        environment = os.environ | {
            "HAVENGATE_DATA_DIR": str(data_dir),
            "HAVENGATE_AUTH__USERS": f"alice:admin:{self.hash}",
            "HAVENGATE_LOG__LEVEL": "debug",
            "HAVENGATE_LOG__FORMAT": form,
            "HAVENGATE_LOG__SLOW_MS": "0.001",
            "HAVENGATE_IMAGES__KEY": IMAGE_KEY,
        }
        self._log = (data_dir / "log").open("w+b")
        command = [sys.executable, "-m", "havengate", "serve", "--port", "0"]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=self._log, text=True)
        self._url = self._process.stdout.readline().split()[-1]
        self.owner_token = json.loads((data_dir / "server.json").read_text())["token"]
        while self.send("GET", "/readyz")[0] != 200:
            time.sleep(0.2)

    def send(self, method, path, body=None, *, password=PASSWORD, **headers):
        """(status, body)"""
        self.ids.append(f"scan-{len(self.ids)}")
        headers = {"X-Opensearch-Request-ID": self.ids[-1], "Authorization": basic(password)} | headers
        if body is not None and not isinstance(body, bytes):
            body, headers = json.dumps(body).encode(), headers | {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def send_raw(self, data):
        place = urlsplit(self._url)
        with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
            connection.sendall(data)
            while connection.recv(65_536):
                pass

    def log(self):
        self._process.terminate()
        self._process.communicate(timeout=60)
        self._log.seek(0)
        text = self._log.read().decode()
        self._log.close()
        return text


def basic(password):
    return "Basic " + base64.b64encode(f"alice:{password}".encode()).decode()


def search(server, picture):
    clause = f"query=vector:'{picture}&modal=image&n=2'&&cluster=photos&&config=format:json"
    server.send("GET", "/query?" + urlencode({"query": clause}))
    server.send("POST", "/query", {"assemblyQuery": clause})
    server.send("POST", "/photos/search", {"query": f"vector:'{picture}&modal=image&n=2'"})
    term = {"index": "vector", "picture": picture, "n": 2}
    server.send("POST", "/v1/tables/photos/search", {"query": {"vector": term}})


def ask_everything(server, token):
    pushed = [
        {"cmd": "add", "fields": {"id": number, "vector_source_image": p}} for number, p in enumerate(PICTURES[:2])
    ]
    assert b'"written":2' in server.send("POST", "/update/photos/actions/bulk", pushed)[1]
    for picture in (PICTURES[2], PICTURES[0][:-40], "QUJD" * 80):
        search(server, picture)
    assert server.send("GET", f"/images/photos/1?token={token}&size=64", Authorization="")[0] == 200
    server.send("GET", f"/images/photos/1?token={token}x", Authorization="")
    server.send("POST", "/vector-service/fetch", {"tableName": "photos", "ids": [1], "includeVector": True})
    assert server.send("GET", "/query?query=a", password=WRONG)[0] == 401
    for path in ("/query", "/photos/search", "/v1/tables/photos/search", "/vector-service/fetch", "/admin/tables"):
        server.send("POST", path, f'{{"picture": "{PICTURES[0]}", "password": "{PASSWORD}'.encode())
    server.send("POST", "/update/nothing/actions/bulk", pushed)
    server.send("GET", "/query?" + urlencode({"query": f"query=nothing:'{PICTURES[0]}'&&cluster=photos"}))
    server.send("GET", f"/{PICTURES[0][:4000]}")
    server.send("GET", "/a%0A2026-01-01T00:00:00.000Z%20ERROR%20forged")
    schema = template("oss", endpoint="http://127.0.0.1:9", bucket="b").to_json()
    schema["fields"][1]["user_defined_param"] |= {"oss_access_key": OSS_KEY, "oss_secret": OSS_SECRET}
    assert server.send("POST", "/admin/tables", {"name": "bucket", "schema": schema})[0] == 201
    server.send("POST", "/admin/tables", {"name": "bucket", "schema": schema})
    server.send(
        "POST", "/update/bucket/actions/bulk", [{"cmd": "add", "fields": {"id": 1, "vector_source_image": "/a.jpg"}}]
    )
    server.send("GET", "/metrics", Authorization=f"Bearer {server.owner_token}")


def ask_badly(server):
    """What gunicorn refuses."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\n"
    server.send_raw(head + f"Authorization {basic(PASSWORD)}\r\n\r\n".encode())
    server.send_raw(head + f"{basic(PASSWORD)}: x\r\n\r\n".encode())
    server.send_raw(f"{PICTURES[0][:900]} /{PASSWORD} HTTP/1.1\r\n\r\n".encode())
    server.send_raw(f"GET /?token={PASSWORD} HTTP/7.{PASSWORD}\r\n\r\n".encode())
    counted = b'havengate_requests_total{dialect="none",method="other",status="400"} 4.0'
    assert counted in server.send("GET", "/metrics")[1]


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_picture_and_no_secret_is_in_the_log(tmp_path, form):
    data_dir = tmp_path / "data"
    with services(Settings(data_dir=data_dir)) as opened:
        opened.tables.create("photos", template("base64"), TableSettings())
    server = Served(data_dir, form)
    key = load_key(Settings(data_dir=data_dir, images={"key": IMAGE_KEY}))
    token = make(key, "photos", TableSettings().image_tokens, int(time.time()) + 3600)
    try:
        ask_everything(server, token)
        ask_badly(server)
    finally:
        log = server.log()
    assert re.search(r"[A-Za-z0-9+/=_%-]{200}", log) is None
    secrets = [PASSWORD, WRONG, basic(PASSWORD).split()[1], basic(WRONG).split()[1], server.hash.split("$")[2]]
    for secret in (*secrets, OSS_SECRET, IMAGE_KEY, token, server.owner_token):
        assert secret not in log, secret
        assert secret[:24] not in log, secret
    assert not any(picture[at : at + 60] in log for picture in PICTURES for at in range(0, len(picture) - 60, 50))
    assert [each for each in server.ids if each not in log] == []
    check = check_json if form == "json" else check_text
    check(log, server)


def check_text(log, _server):
    for line in log.splitlines():
        assert LINE.match(line), line
    assert "/a\\n2026-01-01T00:00:00.000Z ERROR forged" in log
    assert " WARNING havengate.slow [scan-" in log


def check_json(log, server):
    lines = [json.loads(line) for line in log.splitlines()]
    assert all({"time", "level", "logger", "request_id", "message"} <= line.keys() for line in lines)
    requests = [line for line in lines if line["logger"] == "havengate.access"]
    assert {line["request_id"] for line in requests} == set(server.ids)
    slow = [line for line in lines if line["logger"] == "havengate.slow"]
    assert {line["dialect"] for line in slow} == {"ha", "rest_dsl", "plan_api"}
    found = [line for line in slow if "total" in line]
    assert {"parse", "embed", "engine", "pool", "fetch", "format"} <= found[0]["stages"].keys()
    assert found[0]["plan"]["query"]["vector"]["picture"].endswith(" characters)")
    batches = [line for line in lines if line["logger"] == "embedding.batcher"]
    assert any(line["request_id"].startswith("scan-") for line in batches)
