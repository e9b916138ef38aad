"""The server of models: what it takes, what it refuses, and once for real with a gateway before it."""

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from time import sleep

import numpy as np
import pytest
from colour_model import ColourModel
from support import EXTRA_FIELDS, photo_row

from embedding.service import EmbeddingService
from embedding.wire import SHAPE_HEADER, vectors_from
from gateway.embed_server import Served, create_app, serve_models
from gateway.users import hash_password
from havengate.documents import Command
from havengate.errors import ModelError, SettingsError
from havengate.services import services
from havengate.setting_groups import EmbeddingSettings
from havengate.settings import Settings
from havengate.types import PicturePayload, SearchPlan, VectorTerm
from schemas.settings import TableSettings
from schemas.templates import template

TEXTS = "/v1/embed/texts?model=colour"
PIXELS = "/v1/embed/pixels?model=colour"


@pytest.fixture
def make_client():
    opened = []

    def make(load=True, **settings):
        opened.append(EmbeddingService(EmbeddingSettings(), {"colour": lambda _: ColourModel()}))
        served = Served(opened[-1], ("colour",))
        if load:
            served.load()
        return create_app(served, Settings(**settings)).test_client()

    yield make
    for service in opened:
        service.close()


@pytest.fixture
def client(make_client):
    return make_client()


def post_pixels(client, pixels, shape=None, path=PIXELS):
    shape = ",".join(map(str, pixels.shape)) if shape is None else shape
    return client.post(path, data=pixels.tobytes(), headers={SHAPE_HEADER: shape})


def test_what_is_watched_of_a_server(client):
    client.post(TEXTS, json={"texts": ["red"]})
    text = client.get("/metrics").text
    assert 'havengate_requests_total{dialect="embed",method="POST",status="200"} 1.0' in text
    assert 'havengate_embedding_waiting{kind="texts",model="colour"} 0.0' in text


def test_texts_become_raw_float32_rows(client):
    answer = client.post(TEXTS, json={"texts": ["red", "蓝", "blue"]})
    assert (answer.status_code, answer.content_type) == (200, "application/octet-stream")
    assert answer.headers[SHAPE_HEADER] == "3,512"
    vectors = vectors_from(answer.data, answer.headers[SHAPE_HEADER])
    assert np.array_equal(vectors, ColourModel().embed_texts(["red", "蓝", "blue"]))


def test_pixels_become_raw_float32_rows(client):
    pixels = np.random.default_rng(1).integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
    answer = post_pixels(client, pixels)
    vectors = vectors_from(answer.data, answer.headers[SHAPE_HEADER])
    assert np.allclose(vectors, ColourModel().embed_pictures(pixels))


def test_the_models_are_described(client):
    (model,) = client.get("/v1/models").json["models"]
    assert model == {
        "name": "colour",
        "state": "ready",
        "dimension": 512,
        "fingerprint": {"space": "colour-1", "numerics": "numpy"},
        "preparation": None,
    }


def test_a_model_that_is_being_loaded_is_not_ready_and_says_when_to_come_back(make_client):
    client = make_client(load=False)
    assert client.get("/v1/models").json["models"] == [{"name": "colour", "state": "loading"}]
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
    answer = client.post(TEXTS, json={"texts": ["red"]})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_ready_means_loaded(client):
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"texts": []}, "0 texts"),
        ({"texts": ["a"] * 65}, "65 texts"),
        ({"texts": "red"}, "list of strings"),
        ({"texts": ["a", 1]}, "list of strings"),
        ({}, "list of strings"),
        ({"texts": ["a" * 1025]}, "more than 1024 characters"),
    ],
)
def test_texts_that_are_none_are_refused(client, body, says):
    answer = client.post(TEXTS, json=body)
    assert answer.status_code == 400
    assert says in answer.json["message"]


@pytest.mark.parametrize(
    "shape",
    ["", "1,4,4", "2,4,4,3", "1,4,4,3,1", "-1,-4,4,3", "1,4,x,3", "0,4,4,3", "1,6,8,1"],
)
def test_pixels_of_another_shape_than_they_say_are_refused(client, shape):
    assert post_pixels(client, np.zeros((1, 4, 4, 3), np.uint8), shape).status_code == 400


def test_more_pictures_than_a_request_takes_are_refused(client):
    assert post_pixels(client, np.zeros((65, 2, 2, 3), np.uint8)).status_code == 400
    assert post_pixels(client, np.zeros((1, 1025, 1, 3), np.uint8)).status_code == 400


def test_a_body_over_the_limit_is_413(make_client):
    client = make_client(limits={"body": 1024})
    assert post_pixels(client, np.zeros((1, 20, 20, 3), np.uint8)).status_code == 413


def test_an_unknown_model_is_404_and_another_space_409(client):
    answer = client.post("/v1/embed/texts?model=clip", json={"texts": ["red"]})
    assert (answer.status_code, answer.json["message"]) == (404, "no model 'clip' here; there are: colour")
    assert client.post(f"{TEXTS}&space=colour-1", json={"texts": ["red"]}).status_code == 200
    assert client.post(f"{TEXTS}&space=colour-0", json={"texts": ["red"]}).status_code == 409


def test_users_are_asked_for_but_not_by_probes(make_client):
    client = make_client(auth={"users": f"gate:read:{hash_password('tiger')}"})
    for path in ("/v1/models", "/network/active"):
        assert client.get(path).status_code == 401
    assert client.post(TEXTS, json={"texts": ["red"]}).status_code == 401
    assert client.post(TEXTS, json={"texts": ["red"]}, auth=("gate", "tiger")).status_code == 200
    assert client.get("/readyz").status_code == 200


def test_an_address_beyond_loopback_needs_users(tmp_path):
    with pytest.raises(SettingsError, match="HAVENGATE_AUTH__USERS"):
        serve_models(Settings(data_dir=tmp_path), ("builtin",), "0.0.0.0", 0)  # noqa: S104


def test_a_model_that_the_catalogue_does_not_have_does_not_start_a_server(tmp_path):
    with pytest.raises(ModelError, match="unknown model 'nothing'"):
        serve_models(Settings(data_dir=tmp_path), ("nothing",), "127.0.0.1", 0)


class Process:
    """`havengate embed-server` as an operator starts it."""

    def __init__(self, data_dir, port):
        command = [sys.executable, "-m", "havengate", "embed-server", "--model", "builtin", "--port", str(port)]
        environment = os.environ | {"HAVENGATE_DATA_DIR": str(data_dir)}
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        self.url = self._process.stdout.readline().split()[-1]

    def wait_until_ready(self):
        while True:
            try:
                return urllib.request.urlopen(f"{self.url}/readyz", timeout=30).close()
            except urllib.error.HTTPError as error:
                error.close()
                if error.code != 503:
                    raise
                sleep(0.05)

    def stop(self):
        self._process.terminate()
        self._process.communicate(timeout=30)
        return self._process.returncode


@pytest.fixture
def process(tmp_path):
    started = []

    def start(port=0):
        started.append(Process(tmp_path / "models", port))
        started[-1].wait_until_ready()
        return started[-1]

    yield start
    for each in started:
        each.stop()


def test_gateways_embed_on_a_real_server_and_outlive_its_restart(process, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = process(port)
    assert (tmp_path / "models" / "embed-server.json").exists()
    here = EmbeddingService(EmbeddingSettings())
    remote = EmbeddingService(EmbeddingSettings(url=server.url))
    assert remote.fingerprint("builtin") == here.fingerprint("builtin")
    assert np.allclose(remote.embed_text("builtin", "鞋"), here.embed_text("builtin", "鞋"), atol=1e-5)
    assert len(remote._server._connections._idle) == 1
    assert server.stop() == 0
    process(port)
    assert remote.ready(["builtin"])
    assert remote.embed_text("builtin", "cat").shape == (512,)
    remote.close()
    here.close()


def test_use_cases_do_not_care_where_the_model_is(process, tmp_path):
    settings = Settings(data_dir=tmp_path / "data", embedding={"url": process().url})
    with services(settings) as opened:
        opened.tables.create("photos", template("base64", extra_fields=EXTRA_FIELDS), TableSettings())
        rows = [photo_row(key, colour) for key, colour in ((1, "red"), (2, "blue"))]
        commands = [Command("add", row) for row in rows]
        assert opened.documents.push(opened.engine.table("photos"), commands).failures == ()
        term = VectorTerm("vector", PicturePayload(rows[1]["vector_source_image"]))
        found = opened.searcher.search(SearchPlan("photos", term))
        assert [hit.pk for hit in found.hits] == ["2", "1"]
        assert opened.embedding.ready(opened.models())


def test_what_is_being_embedded_is_answered_when_the_server_ends(process):
    server = process()
    answers, broken, asked = [], [], threading.Event()

    def ask():
        body = json.dumps({"texts": [f"a text {number}" for number in range(32)]}).encode()
        while True:
            url = f"{server.url}/v1/embed/texts?model=builtin"
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    answers.append(len(answer.read()))
                asked.set()
            except urllib.error.URLError as error:
                if not isinstance(getattr(error, "reason", None), ConnectionRefusedError):
                    broken.append(repr(error))
                return
            except OSError as error:
                broken.append(repr(error))
                return

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    assert asked.wait(60)
    assert server.stop() == 0
    for client in clients:
        client.join()
    assert broken == []
    assert set(answers) == {32 * 512 * 4}


def test_users_of_a_file_have_their_rates_here_too(make_client, tmp_path):
    user = {"name": "gate", "password_hash": hash_password("tiger"), "tables": {"shoes": "read"}, "rate_per_s": 0.1}
    (tmp_path / "users.json").write_text(json.dumps({"users": [user]}))
    client = make_client(auth={"file": tmp_path / "users.json"})
    answers = [client.get("/v1/models", auth=("gate", "tiger")).status_code for _ in range(2)]
    assert answers == [200, 429]
    assert client.get("/healthz").status_code == 200
