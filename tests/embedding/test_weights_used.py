"""What a pull brings is what the towers read: small models of the real architectures from the hub's double."""

import shutil
from contextlib import closing

import numpy as np
import pytest
from clip_folders import save_clip, save_multilingual
from hub_double import HubDouble
from PIL import Image
from pulls import PICTURES, TEXTS, Place

from embedding.catalogue import find_entry
from embedding.service import EmbeddingService
from embedding.weights.card import convert
from havengate.errors import ModelError
from havengate.setting_groups import EmbeddingSettings

RUNTIME = {"runtime": "torch", "device": "cpu"}


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def pulled(tmp_path_factory):
    """A models folder with `clip` from a hub whose repositories hold pickles beside what is needed."""
    root = tmp_path_factory.mktemp("hub")
    with HubDouble() as hub:
        hub.put(PICTURES, files_in(save_clip(root / "clip")) | {"pytorch_model.bin": b"\x80\x02}q\x00."})
        hub.put(TEXTS, files_in(save_multilingual(root / "texts")) | {"pytorch_model.bin": b"\x80\x02}q\x00."})
        place = Place(hub, root / "models")
        place.pull()
    return place.folder


@pytest.fixture
def service(pulled):
    with closing(EmbeddingService(EmbeddingSettings(models_dir=pulled, **RUNTIME))) as opened:
        yield opened


def test_a_pulled_model_embeds_and_is_what_was_said_before_loading(service):
    said = service.fingerprint("clip")
    vectors = [service.embed_text("clip", "鞋"), *service.embed_pictures("clip", [Image.new("RGB", (90, 60), "red")])]
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert service.fingerprint("clip") == said
    assert said.numerics == "torch-f32"
    assert said.space.startswith(f"clip picture={PICTURES}#")
    assert f"texts={TEXTS},{PICTURES}" in said.space


def test_the_english_tower_is_the_same_space_and_needs_no_other_pull(service, pulled):
    settings = EmbeddingSettings(models_dir=pulled, text_towers="clip=original", **RUNTIME)
    with closing(EmbeddingService(settings)) as english:
        assert english.fingerprint("clip") == service.fingerprint("clip")
        assert abs(english.embed_text("clip", "shoe") @ service.embed_text("clip", "shoe")) < 0.9


def test_the_space_is_the_same_on_every_runtime(service, pulled):
    settings = EmbeddingSettings(models_dir=pulled, runtime="openvino", precision="f32")
    with closing(EmbeddingService(settings)) as other:
        assert other.fingerprint("clip").space == service.fingerprint("clip").space
        assert other.fingerprint("clip").numerics == "openvino-f32"


def test_a_graph_that_cannot_be_read_says_what_to_do(pulled):
    settings = EmbeddingSettings(models_dir=pulled, runtime="openvino", precision="f32")
    convert(find_entry("clip", settings), settings, lambda _: None)
    graph = next((pulled / "clip/openvino").glob("f32-*/tower.bin"))
    graph.write_bytes(graph.read_bytes()[:1000])
    with closing(EmbeddingService(settings)) as service, pytest.raises(ModelError) as caught:
        service.embed_text("clip", "a")
    assert f"{graph.parent} cannot be read" in caught.value.message
    assert "\n" not in caught.value.message
    shutil.rmtree(graph.parent)
    with closing(EmbeddingService(settings)) as service:
        assert service.embed_text("clip", "a").shape == (512,)


def test_conversion_is_said_once_and_left_where_torch_runs_the_model(pulled, tmp_path):
    shutil.copytree(pulled / "clip", tmp_path / "clip", ignore=shutil.ignore_patterns("openvino"))
    said = []
    torch = EmbeddingSettings(models_dir=tmp_path, **RUNTIME)
    convert(find_entry("clip", torch), torch, said.append)
    assert said == []
    settings = EmbeddingSettings(models_dir=tmp_path, runtime="openvino")
    for _ in range(2):
        convert(find_entry("clip", settings), settings, said.append)
    assert said == ["picture", "text"]
