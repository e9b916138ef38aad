"""Models as a user meets them: fetched, added, checked, used, removed."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from clip_folders import save_clip
from hub_double import HubDouble
from support import run_cli

from examples import folder
from schemas.templates import template

TORCH = {"HAVENGATE_EMBEDDING__RUNTIME": "torch", "HAVENGATE_EMBEDDING__DEVICE": "cpu"}
"""For what is not about graphs, which take seconds to make."""


def fails(done, code=2):
    assert done.returncode == code, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "Traceback" not in done.stderr
    return line


def states(data_dir, **options):
    lines = run_cli(data_dir, "models", "list", "--json", **options).stdout.splitlines()
    return {row["model"]: row for row in map(json.loads, lines)}


def vector_of(done):
    shown = json.loads(done.stdout.splitlines()[-1])
    assert shown.keys() == {"model", "fingerprint", "vector"}
    return shown["fingerprint"], np.array(shown["vector"])


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("own") / "clip", seed=3)


@pytest.fixture(scope="module")
def with_mine(tmp_path_factory, clip_folder):
    """A data folder with the model `mine`, added from a folder."""
    data_dir = tmp_path_factory.mktemp("mine") / "data"
    env = {"HAVENGATE_EMBEDDING__RUNTIME": "openvino"}
    done = run_cli(data_dir, "models", "add", str(clip_folder), "--name", "mine", "--licence", "MIT", env=env)
    assert "converting the text tower for OpenVINO (once)" in done.stderr
    assert len(list((data_dir / "models/mine/openvino").glob("f32-*/tower.xml"))) == 2
    assert "model mine is here, 512 dimensions" in done.stdout
    return data_dir


def test_the_list_says_what_there_is_and_what_would_run_it(tmp_path):
    lines = run_cli(tmp_path, "models", "list").stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [
        ["builtin", "ready"],
        ["clip", "missing"],
        ["clip_ecom", "missing"],
    ]
    rows = states(tmp_path, env=TORCH)
    assert rows["builtin"]["runtime"] == "openvino-f32"
    assert rows["clip"]["runtime"] == "torch-f32"
    assert rows["clip"]["dimension"] == 512
    assert rows["clip"]["repositories"][0] == "openai/clip-vit-base-patch32@main"


def test_a_killed_pull_is_partial_and_goes_on(tmp_path, clip_folder):
    files = {path.name: path.read_bytes() for path in clip_folder.iterdir()}
    with HubDouble() as hub:
        hub.put("patrickjohncyh/fashion-clip", files)
        env = TORCH | {"HAVENGATE_EMBEDDING__HUB": hub.url}
        hub.stall = 1_000_000
        killed = subprocess.Popen(
            [sys.executable, "-m", "havengate", "models", "pull", "clip_ecom"],
            env=os.environ | env | {"HAVENGATE_DATA_DIR": str(tmp_path)},
        )
        try:
            assert hub.stalled.wait(60)
            begun = tmp_path / "models/clip_ecom/.pull/picture/model.safetensors.begun"
            while not (begun.exists() and begun.stat().st_size):
                assert killed.poll() is None
        finally:
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        assert states(tmp_path)["clip_ecom"]["state"] == "partial"
        arrived = begun.stat().st_size
        assert "fetches the rest" in fails(
            run_cli(tmp_path, "embed", "--model", "clip_ecom", "--text", "a", check=False)
        )
        hub.stall = None
        hub.go_on.set()
        done = run_cli(tmp_path, "models", "pull", "clip_ecom", env=env)
        assert ("model.safetensors", f"bytes={arrived}-") in hub.fetched()
        assert done.stderr == ""
        assert "model clip_ecom is here, in" in done.stdout
        assert "is here already" in run_cli(tmp_path, "models", "pull", "clip_ecom", env=env).stdout
        hub.put("patrickjohncyh/fashion-clip", files | {"vocab.json": b"{}"})
        other = run_cli(tmp_path, "models", "pull", "clip_ecom", env=env, check=False)
        assert "`havengate models pull clip_ecom --accept` takes the new" in fails(other)
    row = states(tmp_path)["clip_ecom"]
    assert row["state"] == "ready"
    assert row["bytes"] > len(files["model.safetensors"])


def test_the_same_vector_from_both_runtimes(with_mine):
    found = {}
    for runtime in ("torch", "openvino"):
        env = {"HAVENGATE_EMBEDDING__PRECISION": "f32", "HAVENGATE_EMBEDDING__DEVICE": "cpu"}
        picture = str(folder() / "general" / "coffee.jpg")
        done = run_cli(with_mine, "embed", "--model", "mine", "--runtime", runtime, "--image", picture, env=env)
        mark, found[runtime] = vector_of(done)
        assert mark["numerics"] == f"{runtime}-f32"
        assert mark["space"].startswith("clip picture=local/mine#")
        assert np.linalg.norm(found[runtime]) == pytest.approx(1, abs=1e-5)
    assert found["torch"] @ found["openvino"] >= 0.9999


def test_embed_makes_the_data_folder_and_needs_one_thing_to_embed(tmp_path):
    data_dir = tmp_path / "not" / "there"
    mark, vector = vector_of(run_cli(data_dir, "embed", "--model", "builtin", "--text", "鞋"))
    assert data_dir.is_dir()
    assert mark["space"].startswith("builtin ")
    assert len(vector) == 512
    assert "one of --text and --image" in fails(run_cli(data_dir, "embed", "--model", "builtin", check=False))
    assert "unknown model 'x'" in fails(run_cli(data_dir, "embed", "--model", "x", "--text", "a", check=False))


def test_verify_says_honestly_that_random_weights_do_not_rank(with_mine):
    done = run_cli(with_mine, "models", "verify", "mine", check=False)
    assert done.returncode == 1
    assert "mine loads: 512 dimensions" in done.stdout
    assert "(not judged: the text tower is English)" in done.stdout
    assert "it does not rank as a trained model does" in done.stderr


def test_verify_passes_a_model_that_ranks(tmp_path):
    done = run_cli(tmp_path, "models", "verify", "builtin")
    assert "English: 10 of 10 words find their photo first" in done.stdout
    assert done.stdout.endswith("it ranks as it should\n")


def test_verify_finds_bytes_that_changed(tmp_path, clip_folder):
    run_cli(tmp_path, "models", "add", str(clip_folder), "--name", "mine", env=TORCH)
    weights = tmp_path / "models/mine/picture/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    said = fails(run_cli(tmp_path, "models", "verify", "mine", check=False))
    assert "not what was recorded: picture/model.safetensors" in said


def test_an_added_model_serves_a_table_and_is_removed(tmp_path, clip_folder):
    run_cli(tmp_path, "models", "add", str(clip_folder), "--name", "mine", "--link", env=TORCH)
    assert (tmp_path / "models/mine/picture/model.safetensors").is_symlink()
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(template("base64", model="mine").to_json()))
    assert "vector-model-own" in run_cli(tmp_path, "schema", "check", str(schema)).stdout
    run_cli(tmp_path, "table", "create", "t", "--schema", str(schema))
    assert "model mine: ready" in run_cli(tmp_path, "doctor").stdout
    assert "is gone" in run_cli(tmp_path, "models", "remove", "mine", "--yes").stdout
    assert (clip_folder / "model.safetensors").exists()
    assert "mine" not in states(tmp_path)
    done = run_cli(tmp_path, "doctor", check=False)
    assert done.returncode == 1
    assert "FAIL  model mine: unknown model 'mine'" in done.stdout


def test_doctor_says_how_to_get_the_weights_that_a_table_needs(tmp_path, clip_folder):
    env = TORCH | {"HAVENGATE_EMBEDDING__OFFLINE": str(tmp_path / "brought")}
    (tmp_path / "brought/patrickjohncyh").mkdir(parents=True)
    (tmp_path / "brought/patrickjohncyh/fashion-clip").symlink_to(clip_folder)
    run_cli(tmp_path, "models", "pull", "clip_ecom", env=env)
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(template("base64", model="clip_ecom").to_json()))
    run_cli(tmp_path, "table", "create", "t", "--schema", str(schema))
    run_cli(tmp_path, "models", "remove", "clip_ecom", "--yes")
    done = run_cli(tmp_path, "doctor", check=False)
    assert done.returncode == 1
    assert "`havengate models pull clip_ecom`" in done.stdout


def test_a_vendors_table_has_512_dimensions(tmp_path):
    small = save_clip(tmp_path / "small", dimension=64)
    run_cli(tmp_path / "data", "models", "add", str(small), "--name", "small", env=TORCH)
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(template("base64", model="small").to_json()))
    done = run_cli(tmp_path / "data", "table", "create", "t", "--schema", str(schema), check=False)
    said = fails(done)
    assert "makes vectors of 64 dimensions" in said
    assert "[vector-dimension-512]" in said


def test_folders_that_are_no_model_are_refused(tmp_path, clip_folder):
    def refused(name="mine", **changes):
        wrong = tmp_path / "wrong"
        wrong.mkdir(exist_ok=True)
        for path in clip_folder.iterdir():
            (wrong / path.name).unlink(missing_ok=True)
            if changes.get(path.name) is not ...:
                (wrong / path.name).write_bytes(changes.get(path.name, path.read_bytes()))
        return fails(run_cli(tmp_path / "data", "models", "add", str(wrong), "--name", name, check=False))

    assert "model 'clip' is there already" in refused("clip")
    assert "no name of a model" in refused("../up")
    assert "model_type is 'bert', not 'clip'" in refused(**{"config.json": b'{"model_type": "bert"}'})
    assert "has no model.safetensors" in refused(**{"model.safetensors": ...})
    assert "is no safetensors file" in refused(**{"model.safetensors": b"\x80\x02}q\x00." * 99})
    weights = (clip_folder / "model.safetensors").read_bytes()
    assert "its head says" in refused(**{"model.safetensors": weights[:-1000]})
    assert "has no tokenizer" in refused(**{"vocab.json": ...})
    config = json.loads((clip_folder / "config.json").read_bytes()) | {"projection_dim": 256}
    assert "visual_projection.weight is [512, 64]" in refused(**{"config.json": json.dumps(config).encode()})
    assert not (tmp_path / "data/models").exists()
