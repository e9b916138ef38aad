"""Tables over CLIP, from the pull to the SDK's answers, on both engines: small random weights, real files."""

import base64
import json
import shutil
import uuid

import numpy as np
import pytest
from alibabacloud_ha3engine import client, models
from clip_folders import save_clip
from PIL import Image
from support import run_cli

from embedding.service import EmbeddingService
from examples import folder
from havengate.demo.process import gateway
from havengate.setting_groups import EmbeddingSettings
from schemas.templates import template

PICTURES, TEXTS = "openai/clip-vit-base-patch32", "sentence-transformers/clip-ViT-B-32-multilingual-v1"
PHOTOS = sorted((folder() / "general").glob("*.jpg"))[:8]
QUERIES = ("摩托车头盔", "a red shoe")


class Site:
    """One data folder and one engine, served by gateways of one runtime after the other."""

    def __init__(self, data_dir, brought, environment, monkeypatch):
        self.data_dir = data_dir
        for name, value in (environment | {"HAVENGATE_EMBEDDING__OFFLINE": str(brought)}).items():
            monkeypatch.setenv(name, value)
        self._monkeypatch = monkeypatch

    def cli(self, *arguments):
        return run_cli(self.data_dir, *arguments)

    def serve(self, runtime):
        self._monkeypatch.setenv("HAVENGATE_EMBEDDING__RUNTIME", runtime)
        self._monkeypatch.setenv("HAVENGATE_EMBEDDING__DEVICE", "cpu")
        # Random weights have photos whose order bf16 changes.
        self._monkeypatch.setenv("HAVENGATE_EMBEDDING__PRECISION", "f32")
        return gateway(self.data_dir)


@pytest.fixture(params=["embedded", "opensearch"])
def site(request, tmp_path, clip_folder, multilingual_folder, monkeypatch):
    environment = {}
    if request.param == "opensearch":
        environment = {
            "HAVENGATE_ENGINE__KIND": "opensearch",
            "HAVENGATE_ENGINE__HOSTS": request.getfixturevalue("opensearch_url"),
            "HAVENGATE_ENGINE__INDEX_PREFIX": f"test-{uuid.uuid4().hex[:12]}-",
        }
    shutil.copytree(clip_folder, tmp_path / "brought" / PICTURES)
    shutil.copytree(multilingual_folder, tmp_path / "brought" / TEXTS)
    opened = Site(tmp_path / "data", tmp_path / "brought", environment, monkeypatch)
    yield opened
    opened.cli("table", "drop", "photos", "--yes")


def sdk(endpoint):
    config = models.Config(
        endpoint=endpoint, instance_id="", protocol="http", access_user_name="demo", access_pass_word="demo"
    )
    return client.Client(config)


def search(endpoint, words, modal="text"):
    query = f"config=hit:8,format:json&&query=vector:'{words}&modal={modal}&n=8'&&cluster=photos"
    return json.loads(sdk(endpoint).search(models.SearchRequestModel({}, models.SearchQuery(query=query))).body)


def keys(answer):
    assert answer["errors"] == []
    return [item["fields"]["id"] for item in answer["result"]["items"]]


def as_base64(photo):
    return base64.b64encode(photo.read_bytes()).decode()


def expected(models_dir):
    """Keys of the photos by each query, the nearest first, computed without tables."""
    service = EmbeddingService(EmbeddingSettings(models_dir=models_dir, runtime="torch", device="cpu"))
    rows = service.embed_pictures("clip", [Image.open(photo).convert("RGB") for photo in PHOTOS])
    ranked = {query: np.argsort(-(rows @ service.embed_text("clip", query))) for query in QUERIES}
    service.close()
    return {query: [str(row) for row in order] for query, order in ranked.items()}


@pytest.mark.timeout(600)
def test_a_table_built_with_torch_is_served_with_openvino_until_the_model_is_another(site, tmp_path):
    site.cli("models", "pull", "clip")
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(template("base64", model="clip").to_json()))
    site.cli("table", "create", "photos", "--schema", str(schema))
    with site.serve("torch") as endpoint:
        rows = [
            {"cmd": "add", "fields": {"id": key, "vector_source_image": as_base64(photo)}}
            for key, photo in enumerate(PHOTOS)
        ]
        pushed = sdk(endpoint).push_documents("photos", "id", models.PushDocumentsRequestModel({}, rows))
        assert json.loads(pushed.body)["status"] == "OK"
    wanted = expected(site.data_dir / "models")
    assert len({tuple(order) for order in wanted.values()}) == len(QUERIES)
    with site.serve("openvino") as endpoint:
        for query in QUERIES:
            assert keys(search(endpoint, query)) == wanted[query]
        assert keys(search(endpoint, as_base64(PHOTOS[3]), "image"))[0] == "3"
    save_clip(tmp_path / "brought" / PICTURES, seed=8)
    site.cli("models", "pull", "clip", "--accept")
    with site.serve("torch") as endpoint:
        answer = search(endpoint, QUERIES[0])
    assert answer["result"]["items"] == []
    assert "the table has to be built again" in answer["errors"][0]["message"]
