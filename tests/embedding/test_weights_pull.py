from types import SimpleNamespace

import pytest
from pulls import PICTURES, TEXTS, Place, clip_files, sentence_files

from embedding.weights.hub import Hub
from embedding.weights.pull import alone, open_source
from embedding.weights.store import State
from havengate.errors import ModelError
from havengate.setting_groups import EmbeddingSettings


def test_a_pull_brings_what_is_needed_and_records_it(place, hub):
    assert place.store().state() is State.MISSING
    done = place.pull()
    assert done.changed
    assert place.store().state() is State.READY
    assert place.names() - {".pull.lock"} == {
        "lock.json",
        *(
            f"picture/{name}"
            for name in (
                "config.json",
                "model.safetensors",
                "preprocessor_config.json",
                "tokenizer.json",
                "merges.txt",
            )
        ),
        *(f"text-multilingual/{name}" for name in sentence_files() if not name.endswith((".bin", ".onnx"))),
    }
    picture = place.store().lock().parts["picture"]
    assert picture.commit == hub.repositories[PICTURES]["main"]
    assert picture.files["model.safetensors"].size == 3_000_000
    assert place.store().damage() == []
    assert sum(place.arrived[1:]) == place.arrived[0] > 3_000_000


def test_the_original_text_tower_is_in_the_pictures_repository(place):
    place.pull(text_towers="clip=original")
    assert place.store(text_towers="clip=original").state() is State.READY
    assert not (place.folder / "clip" / "text-multilingual").exists()
    assert place.store().state() is State.PARTIAL
    place.pull()
    assert place.store().state() is State.READY


def test_a_broken_connection_goes_on_where_it_broke(place, hub):
    hub.breaks = [1_000_000, 0, 500_000]
    place.pull()
    ranges = [given for name, given in hub.fetched() if name == "model.safetensors"][:4]
    assert ranges[0] is None
    assert ranges[1:] == ["bytes=1000000-", "bytes=1000000-", "bytes=1500000-"]
    assert place.store().damage() == []
    assert sum(place.arrived[1:]) == place.arrived[0]


def test_what_arrived_is_kept_for_the_next_pull(place, hub):
    hub.breaks = [1_000_000, 0, 0, 0, 0]
    with pytest.raises(ModelError, match=r"cannot be reached: .*What has arrived is kept"):
        place.pull()
    assert place.store().state() is State.PARTIAL
    with pytest.raises(ModelError, match="`havengate models pull clip` fetches the rest"):
        place.store().require_lock()
    hub.requests.clear()
    place.pull()
    # The small files before it were there.
    assert hub.fetched()[0] == ("model.safetensors", "bytes=1000000-")
    assert place.store().damage() == []


def test_a_pull_that_goes_on_stays_at_its_commit(place, hub):
    begun = hub.repositories[PICTURES]["main"]
    hub.breaks = [1_000_000, 0, 0, 0, 0]
    with pytest.raises(ModelError):
        place.pull()
    hub.put(PICTURES, clip_files(seed=99))
    place.pull()
    assert place.store().lock().parts["picture"].commit == begun
    assert (place.folder / "clip/picture/model.safetensors").read_bytes() == clip_files()["model.safetensors"]


def test_a_hub_without_ranges_begins_anew(place, hub):
    hub.breaks, hub.ranges = [1_000_000], False
    place.pull()
    assert place.store().damage() == []
    assert sum(place.arrived[1:]) == place.arrived[0]


def test_content_that_is_not_what_the_hub_announced_is_thrown_away(place, hub):
    for name in ("model.safetensors", "config.json"):
        hub.tampered = {name}
        with pytest.raises(ModelError, match=rf"{name}: what arrived .* is not what was expected"):
            place.pull()
        assert place.store().state() is State.PARTIAL
    hub.tampered = set()
    place.pull()
    assert place.store().damage() == []


def test_a_beginning_longer_than_the_file_is_thrown_away(place, hub):
    hub.breaks = [1_000_000, 0, 0, 0, 0]
    with pytest.raises(ModelError):
        place.pull()
    begun = place.folder / "clip/.pull/picture/model.safetensors.begun"
    begun.write_bytes(b"x" * 4_000_000)
    place.pull()
    assert place.store().damage() == []


def test_without_safetensors_the_error_names_the_setting(place, hub):
    files = clip_files()
    weights = files.pop("model.safetensors")
    hub.put(PICTURES, files)
    with pytest.raises(ModelError) as caught:
        place.pull()
    assert f"HAVENGATE_EMBEDDING__REVISIONS={PICTURES}=REVISION" in caught.value.message
    assert "only pytorch_model.bin, which can run code" in caught.value.message
    assert place.store().state() is State.MISSING
    hub.put(PICTURES, files | {"model.safetensors": weights}, "refs/pr/7")
    place.pull(revisions=f"{PICTURES}=refs/pr/7")
    assert place.store(revisions=f"{PICTURES}=refs/pr/7").lock().parts["picture"].revision == "refs/pr/7"


def test_a_dense_layer_that_is_only_a_pickle_is_refused(place, hub):
    hub.put(TEXTS, {name: data for name, data in sentence_files().items() if name != "2_Dense/model.safetensors"})
    with pytest.raises(ModelError, match=rf"{TEXTS} at 'main' .* has no 2_Dense/model.safetensors"):
        place.pull()


def test_weights_in_several_files_are_taken_with_their_index(place, hub):
    files = clip_files()
    files["model-00001-of-00002.safetensors"] = files["model-00002-of-00002.safetensors"] = files.pop(
        "model.safetensors"
    )
    hub.put(PICTURES, files | {"model.safetensors.index.json": b"{}"})
    place.pull()
    assert "picture/model-00002-of-00002.safetensors" in place.names()


@pytest.mark.parametrize(
    ("status", "reason", "says"),
    [
        (403, "GatedRepo", "accept its licence first"),
        (403, "", "accept its licence first"),
        (401, "", "HAVENGATE_EMBEDDING__HUB_TOKEN"),
        (404, "RepoNotFound", "has no such repository"),
        (404, "RevisionNotFound", "'main' is no revision of it"),
    ],
)
def test_refusals_of_the_hub_say_what_to_do(place, hub, status, reason, says):
    hub.statuses = [(status, reason)]
    with pytest.raises(ModelError, match=says):
        place.pull()
    assert len(hub.requests) == 1
    assert place.store().state() is State.MISSING


def test_a_hub_that_is_busy_is_asked_again(place, hub):
    hub.statuses = [(503,), (429,)]
    assert place.pull().changed
    hub.statuses = [(503,)] * 4
    with pytest.raises(ModelError, match="answers 503"):
        place.pull(accept=True)


def test_an_address_that_expired_is_asked_for_again(place, hub):
    hub.expired = [403, 404]
    assert place.pull().changed
    hub.put("patrickjohncyh/fashion-clip", clip_files())
    hub.expired = [403] * 4
    with pytest.raises(ModelError, match=r"localhost:\d+ answers 403"):
        place.pull("clip_ecom")


def test_a_repository_cannot_write_beside_its_folder(place, hub, tmp_path):
    up = "/".join([".."] * 3)
    names = (f"{up}/x_Dense/config.json", f"model-/../{up}/y-of-z.safetensors")
    hub.put(TEXTS, sentence_files() | dict.fromkeys(names, b"{}"))
    place.pull()
    assert not [path for path in tmp_path.rglob("*") if "x_Dense" in str(path) or "y-of" in path.name]
    assert not set(names) & place.store().lock().parts["text-multilingual"].files.keys()


def test_the_token_goes_to_the_hub_and_to_nobody_else(place, hub):
    hub.token = "hf_secret"
    with pytest.raises(ModelError, match="accept its licence"):
        place.pull()
    hub.requests.clear()
    place.pull(token="hf_secret")
    sent = {("/cdn/" in path): headers.get("Authorization") for path, headers in hub.requests}
    assert sent == {False: "Bearer hf_secret", True: None}


def test_a_host_that_does_not_answer_names_mirror_and_folder(place):
    with pytest.raises(ModelError, match="HAVENGATE_EMBEDDING__HUB names a mirror, HAVENGATE_EMBEDDING__OFFLINE"):
        place.pull(source=Hub("http://127.0.0.1:9", pause_s=0))


def test_an_answer_of_something_else_is_no_hub(place, hub):
    hub.statuses = [(200,)]
    with pytest.raises(ModelError, match="does not answer as a model hub"):
        place.pull()


def test_a_mirror_without_hashes_works_and_what_arrives_is_recorded(place, hub):
    hub.blobs = False
    place.pull()
    assert place.store().damage() == []
    assert not place.pull().changed
    hub.put(PICTURES, clip_files() | {"README.md": b"other"})
    with pytest.raises(ModelError, match="other content"):
        place.pull()


@pytest.mark.parametrize("layout", ["plain", "cache"])
def test_an_offline_folder_stands_in_for_the_hub(place, tmp_path, layout):
    folder = tmp_path / "brought"
    for repository, files in ((PICTURES, clip_files()), (TEXTS, sentence_files())):
        root = folder / repository
        if layout == "cache":
            cached = folder / f"models--{repository.replace('/', '--')}"
            root = cached / "snapshots" / ("c" * 40)
            (cached / "refs").mkdir(parents=True)
            (cached / "refs" / "main").write_text("c" * 40)
        for name, data in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
    source = open_source(EmbeddingSettings(offline=folder))
    place.pull(source=source)
    assert place.store().damage() == []
    assert place.store().lock().parts["picture"].commit == ("c" * 40 if layout == "cache" else "")
    assert not place.pull(source=source).changed
    assert sum(place.arrived[1:]) == place.arrived[0]


def test_a_folder_and_a_hub_give_the_same_space(place, hub, tmp_path):
    place.pull(text_towers="clip=original")
    from_hub = place.store().lock().parts["picture"].content
    folder = tmp_path / "brought"
    for name, data in clip_files().items():
        (folder / PICTURES / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / PICTURES / name).write_bytes(data)
    other = Place(hub, tmp_path / "others")
    other.pull(source=open_source(EmbeddingSettings(offline=folder)), text_towers="clip=original")
    assert other.store().lock().parts["picture"].content == from_hub


def test_an_offline_folder_that_lacks_a_repository_is_named(place, tmp_path):
    with pytest.raises(ModelError, match=rf"HAVENGATE_EMBEDDING__OFFLINE: .* has no folder {PICTURES}"):
        place.pull(source=open_source(EmbeddingSettings(offline=tmp_path)))


def test_a_disk_that_is_too_small_is_told_before_anything_arrives(place, hub, monkeypatch):
    monkeypatch.setattr("embedding.weights.pull.shutil.disk_usage", lambda _: SimpleNamespace(free=200 << 20))
    with pytest.raises(ModelError, match="HAVENGATE_EMBEDDING__MODELS_DIR names another folder"):
        place.pull()
    assert hub.fetched() == []


def test_two_pulls_of_one_model_do_not_mix(place):
    with alone(place.store()), pytest.raises(ModelError, match="being pulled by another process"):
        place.pull()


def test_builtin_is_not_pulled(place):
    with pytest.raises(ModelError, match="comes from the packages"):
        place.pull("builtin")
