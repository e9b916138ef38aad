"""Folders that are no whole model are refused with what is wrong; the fingerprint; what auto means."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from embedding.clip import runtime as runtimes
from embedding.clip.files import ClipFiles
from embedding.clip.identity import fingerprint
from embedding.clip.model import load_clip
from embedding.clip.runtime import RuntimeSettings, resolve
from embedding.service import EmbeddingService
from havengate.errors import ModelError
from havengate.setting_groups import EmbeddingSettings

TORCH = RuntimeSettings("torch", "cpu", "f32", 1)
OPENVINO = RuntimeSettings("openvino", "cpu", "f32", 1)


@pytest.fixture
def clip(tmp_path, clip_folder, clip_graphs):
    folder = shutil.copytree(clip_folder, tmp_path / "clip")
    return ClipFiles(folder, folder, "clip", 512, "clip@1", "clip@1", clip_graphs)


@pytest.fixture
def multilingual(tmp_path, clip, multilingual_folder):
    folder = shutil.copytree(multilingual_folder, tmp_path / "multilingual")
    return replace(clip, text=folder, text_kind="multilingual", text_source="multilingual@1")


def change_json(file, **values):
    content = json.loads(file.read_text()) | values
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def change_weights(file, change):
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)


@pytest.mark.parametrize("runtime", [TORCH, OPENVINO])
@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt"])
def test_a_pickle_is_refused_with_the_setting_that_names_a_revision(clip, runtime, name):
    weights = clip.picture / "model.safetensors"
    torch.save(load_file(weights), clip.picture / name)
    weights.unlink()
    with pytest.raises(ModelError, match=rf"{name} is a pickle.*HAVENGATE_EMBEDDING__REVISIONS"):
        load_clip(clip, runtime)


def test_a_pickle_beside_safetensors_is_not_opened(clip):
    (clip.picture / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    assert load_clip(clip, TORCH).embed_texts(["a"]).shape == (1, 512)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "preprocessor_config.json"])
def test_a_missing_file_is_named(clip, name):
    (clip.picture / name).unlink()
    with pytest.raises(ModelError, match=rf"{name} is missing"):
        load_clip(clip, TORCH)


@pytest.mark.parametrize(
    "name", ["modules.json", "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"]
)
def test_a_missing_file_of_a_sentence_model_is_named(multilingual, name):
    (multilingual.text / name).unlink()
    with pytest.raises(ModelError, match=f"{Path(name).name} is missing"):
        load_clip(multilingual, TORCH)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("picture", "visual_projection.weight"),
        ("picture", "vision_model.encoder.layers.1.mlp.fc1.weight"),
        ("picture", "text_model.embeddings.token_embedding.weight"),
        ("text", "transformer.layer.2.attention.q_lin.weight"),
    ],
)
def test_missing_and_misshapen_weights_are_refused_by_name(clip, multilingual, file, name):
    files = clip if file == "picture" else multilingual
    weights = getattr(files, file) / "model.safetensors"
    change_weights(weights, lambda tensors: tensors.update({name: tensors[name][:, :3].clone()}))
    with pytest.raises(ModelError, match=rf"weights of the \w+ tower: .*{name} is \[\d+, 3\] instead of \[\d+, \d+\]"):
        load_clip(files, TORCH)
    change_weights(weights, lambda tensors: tensors.pop(name))
    with pytest.raises(ModelError, match=rf"weights of the \w+ tower: .*{name} is missing"):
        load_clip(files, TORCH)


def test_damaged_weights_are_refused(clip):
    (clip.picture / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0 not a header  ")
    with pytest.raises(ModelError, match="the picture tower cannot be loaded"):
        load_clip(clip, TORCH)


def test_a_model_of_another_kind_is_refused(multilingual):
    with pytest.raises(ModelError, match="the tokenizer ends texts with"):
        load_clip(replace(multilingual, text_kind="clip"), TORCH)


def test_another_dimension_than_the_catalogues_is_refused(clip, multilingual):
    for files in (clip, multilingual):
        with pytest.raises(ModelError, match="the projection has 512 dimensions, the catalogue says 256"):
            load_clip(replace(files, dimension=256), TORCH)


def test_a_crop_that_the_tower_does_not_take_is_refused(clip):
    change_json(clip.picture / "preprocessor_config.json", size={"shortest_edge": 96}, crop_size=96)
    with pytest.raises(ModelError, match=r"cropped to \(96, 96\), the tower takes 64 x 64"):
        load_clip(clip, TORCH)


@pytest.mark.parametrize(
    ("file", "values", "says"),
    [
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True}, "pooling other than the mean"),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": False}, "pooling other than the mean"),
        ("2_Dense/config.json", {"activation_function": "torch.nn.modules.activation.Tanh"}, "Tanh is not in"),
        ("2_Dense/config.json", {"in_features": 32}, r"linear\.weight is \[512, 64\] instead of \[512, 32\]"),
        ("2_Dense/config.json", {"bias": True}, r"linear\.bias is missing"),
    ],
)
def test_a_sentence_model_of_other_steps_is_refused(multilingual, file, values, says):
    change_json(multilingual.text / file, **values)
    with pytest.raises(ModelError, match=says):
        load_clip(multilingual, TORCH)


def test_other_modules_are_refused_by_name(multilingual):
    modules = json.loads((multilingual.text / "modules.json").read_text())
    (multilingual.text / "modules.json").write_text(json.dumps(modules[:2]))
    with pytest.raises(ModelError, match="Transformer, Pooling instead of Transformer, Pooling, Dense"):
        load_clip(multilingual, TORCH)


def test_the_new_form_of_the_poolings_file_is_read(multilingual):
    (multilingual.text / "1_Pooling" / "config.json").write_text('{"embedding_dimension": 64, "pooling_mode": "mean"}')
    assert load_clip(multilingual, TORCH).embed_texts(["a"]).shape == (1, 512)


def test_weights_in_16_bits_are_read(clip):
    wanted = load_clip(clip, TORCH).embed_texts(["red shoes"])
    halves = {name: tensor.half() for name, tensor in load_file(clip.picture / "model.safetensors").items()}
    save_file(halves, clip.picture / "model.safetensors")
    assert load_clip(clip, TORCH).embed_texts(["red shoes"])[0] @ wanted[0] > 0.999


def test_other_weights_are_converted_anew_also_after_a_kill(tmp_path, clip):
    former = load_clip(clip, OPENVINO).embed_texts(["a"])
    partial = tmp_path / "converted" / ".partial"
    partial.mkdir(parents=True)
    (partial / "tower.bin").write_bytes(b"half")
    shutil.copytree(clip.cache, partial.parent, dirs_exist_ok=True)
    change_weights(clip.picture / "model.safetensors", lambda tensors: tensors["text_projection.weight"].neg_())
    changed = replace(clip, picture_source="clip@2", text_source="clip@2", cache=partial.parent)
    assert load_clip(changed, OPENVINO).embed_texts(["a"]) @ former.T < -0.999
    assert not partial.exists()


def test_rows_of_one_runtime_are_searched_by_another(multilingual):
    """A table built by torch is searched by OpenVINO and the other way: one space, two numerics."""
    settings = EmbeddingSettings()
    services = [
        EmbeddingService(settings, {"clip": lambda _, runtime=runtime: load_clip(multilingual, runtime)})
        for runtime in (TORCH, OPENVINO)
    ]
    marks = [service.fingerprint("clip") for service in services]
    assert marks[0].space == marks[1].space
    assert [mark.numerics for mark in marks] == ["torch-f32", "openvino-f32"]
    for one, other in (services, services[::-1]):
        rows = np.stack([one.embed_text("clip", text) for text in ("red shoes", "dress", "猫")])
        asked = np.stack([other.embed_text("clip", text) for text in ("red shoes", "dress", "猫")])
        assert np.argmax(asked @ rows.T, axis=1).tolist() == [0, 1, 2]
        assert np.diag(asked @ rows.T).min() > 0.9999
    for service in services:
        service.close()


def test_the_space_is_that_of_the_pictures_whichever_text_tower_is_in_use(clip, multilingual):
    both = ("openai/clip-vit-base-patch32", "sentence-transformers/clip-ViT-B-32-multilingual-v1")
    marks = {fingerprint(replace(files, space_texts=both), TORCH).space for files in (clip, multilingual)}
    assert len(marks) == 1
    (space,) = marks
    for part in ("clip@1", "short64-bicubic-crop64x64", "dimension=512", *both):
        assert part in space


def test_whatever_makes_other_rows_is_another_space(clip):
    marks = [
        fingerprint(clip, TORCH),
        fingerprint(replace(clip, picture_source="clip@2"), TORCH),
        fingerprint(replace(clip, space_texts=("another",)), TORCH),
        fingerprint(replace(clip, dimension=256), TORCH),
    ]
    change_json(clip.picture / "preprocessor_config.json", resample=2)
    marks.append(fingerprint(clip, TORCH))
    assert len({mark.space for mark in marks}) == len(marks)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine as /proc and /dev show it: machine(flags, devices, cuda)."""

    def make(flags="fpu avx2", devices=(), cuda=0):
        (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n")
        (tmp_path / "dev").mkdir(exist_ok=True)
        for device in devices:
            (tmp_path / "dev" / device).touch()
        monkeypatch.setattr(runtimes, "_CPU", tmp_path / "cpuinfo")
        monkeypatch.setattr(runtimes, "_DEVICES", tmp_path / "dev")
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)

    return make


@pytest.mark.parametrize(
    ("machine_has", "settings", "numerics"),
    [
        ({}, {}, "openvino-f32"),
        ({"flags": "fpu avx512_bf16"}, {}, "openvino-bf16"),
        ({"flags": "amx_bf16"}, {"precision": "f32"}, "openvino-f32"),
        ({"flags": "amx_bf16"}, {"runtime": "torch"}, "torch-f32"),
        ({"devices": ["nvidia0", "nvidiactl"], "cuda": 1}, {}, "torch-cuda-f16"),
        ({"devices": ["nvidia0"], "cuda": 1}, {"precision": "bf16"}, "torch-cuda-bf16"),
        ({"devices": ["nvidia0"], "cuda": 1}, {"runtime": "openvino"}, "openvino-f32"),
        ({"devices": ["nvidia0"], "cuda": 1}, {"device": "cpu"}, "openvino-f32"),
        ({"devices": ["nvidia0"], "cuda": 0}, {}, "openvino-f32"),
        ({"devices": ["nvidiactl"], "cuda": 1}, {}, "openvino-f32"),
        ({}, {"device": "cuda"}, "torch-cuda-f16"),
    ],
)
def test_what_auto_means_on_a_machine(machine, machine_has, settings, numerics):
    machine(**machine_has)
    assert resolve(EmbeddingSettings(**settings)).numerics == numerics


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"runtime": "openvino", "device": "cuda"}, "HAVENGATE_EMBEDDING__RUNTIME=torch"),
        ({"precision": "f16"}, "f16 needs a CUDA device"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(machine, settings, says):
    machine()
    with pytest.raises(ModelError, match=says):
        resolve(EmbeddingSettings(**settings))


def test_a_machine_that_says_nothing_of_its_cpu_has_no_bf16(monkeypatch, tmp_path):
    monkeypatch.setattr(runtimes, "_CPU", tmp_path / "none")
    assert not runtimes.cpu_has_bf16()


def test_numbers_that_overflow_are_an_error_with_the_setting(clip):
    model = load_clip(clip, TORCH)
    model._text = lambda ids, mask: np.full((len(ids), 512), np.nan, np.float32)  # noqa: ARG005
    with pytest.raises(ModelError, match=r"overflow in f32.*HAVENGATE_EMBEDDING__PRECISION"):
        model.embed_texts(["a"])
