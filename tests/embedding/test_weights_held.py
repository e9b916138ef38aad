"""What the first pull brought is held to."""

import json

import pytest
from pulls import PICTURES, TEXTS, clip_files, sentence_files

from embedding.weights.hub import Hub
from embedding.weights.store import State
from havengate.errors import ModelError


def test_later_pulls_hold_to_the_first(place, hub):
    first = hub.repositories[PICTURES]["main"]
    place.pull()
    assert not place.pull().changed
    hub.put(PICTURES, clip_files() | {"README.md": b"# other words"})
    assert not place.pull().changed
    second = hub.put(PICTURES, clip_files(seed=5))
    with pytest.raises(ModelError) as caught:
        place.pull()
    assert "(model.safetensors)" in caught.value.message
    assert first[:12] in caught.value.message
    assert second[:12] in caught.value.message
    assert "`havengate models pull clip --accept`" in caught.value.message
    assert place.store().state() is State.READY
    hub.requests.clear()
    place.pull(accept=True)
    assert place.store().lock().parts["picture"].commit == second
    assert place.store().damage() == []
    # What did not change was not fetched again.
    assert [name for name, _ in hub.fetched()] == ["model.safetensors"]


@pytest.mark.parametrize(
    ("part", "name", "another"),
    [
        ("text-multilingual", "2_Dense/model.safetensors", True),
        ("text-multilingual", "2_Dense/config.json", True),
        ("text-multilingual", "model.safetensors", True),
        ("picture", "config.json", True),
        ("picture", "tokenizer.json", False),
    ],
)
def test_weights_and_configurations_are_what_a_model_is_known_by(place, hub, part, name, another):
    place.pull()
    before = place.store().lock().parts[part].content
    repository, files = (PICTURES, clip_files()) if part == "picture" else (TEXTS, sentence_files())
    hub.put(repository, files | {name: b'{"another": 1}'})
    place.pull(accept=True)
    assert (place.store().lock().parts[part].content != before) is another


def test_graphs_of_former_files_go_with_them(place, hub):
    place.pull()
    graph = place.store().converted / "f32-0/tower.xml"
    graph.parent.mkdir(parents=True)
    graph.touch()
    place.pull()
    assert graph.exists()
    hub.put(PICTURES, clip_files(seed=5))
    place.pull(accept=True)
    assert not graph.exists()


def test_another_revision_with_the_same_content_is_taken_down(place, hub):
    place.pull()
    commit = hub.put(PICTURES, clip_files() | {"README.md": b"pinned"}, "v1")
    assert not place.pull(revisions=f"{PICTURES}=v1").changed
    held = place.store().lock().parts["picture"]
    assert (held.revision, held.commit) == ("v1", commit)
    hub.put(PICTURES, clip_files(seed=5), "v2")
    with pytest.raises(ModelError, match=r"'v2' is now .* with other content"):
        place.pull(revisions=f"{PICTURES}=v2")


def test_a_damaged_model_of_another_revision_is_not_mended_with_it(place, hub):
    place.pull()
    hub.put(PICTURES, clip_files(seed=5), "v2")
    (place.folder / "clip/picture/config.json").unlink()
    with pytest.raises(ModelError, match="'v2' is now another revision or repository"):
        place.pull(revisions=f"{PICTURES}=v2")


def test_another_small_file_is_other_content_too(place, hub):
    place.pull()
    hub.put(PICTURES, clip_files() | {"preprocessor_config.json": b"[]"})
    with pytest.raises(ModelError, match=r"other content \(preprocessor_config.json\)"):
        place.pull()


def test_a_ready_model_stays_when_the_hub_is_away(place):
    place.pull()
    done = place.pull(source=Hub("http://127.0.0.1:9", pause_s=0))
    assert not done.changed
    assert "cannot be reached" in done.note


def test_a_damaged_file_is_fetched_again_from_the_locked_commit(place, hub):
    place.pull()
    hub.put(PICTURES, clip_files(seed=5))
    file = place.folder / "clip/picture/config.json"
    file.write_bytes(b"{}")
    assert place.store().state() is State.DAMAGED
    with pytest.raises(ModelError, match=r"picture/config\.json damaged: `havengate models pull clip` mends it"):
        place.store().require_lock()
    hub.requests.clear()
    place.pull()
    assert place.store().damage() == []
    assert [name for name, _ in hub.fetched()] == ["config.json"]


def test_damage_of_the_same_size_is_found_by_reading(place):
    place.pull()
    file = place.folder / "clip/picture/model.safetensors"
    file.write_bytes(b"\0" * 3_000_000)
    assert place.store().state() is State.READY
    assert place.store().damage() == ["picture/model.safetensors"]


def test_a_lock_file_that_cannot_be_read_is_damage(place):
    place.pull()
    for text in ("{", '{"version": 9}', '{"version": 1}', "[]"):
        place.store().lock_file.write_text(text)
        assert place.store().state() is State.DAMAGED
        with pytest.raises(ModelError, match=r"lock\.json"):
            place.pull()
    place.pull(accept=True)
    assert place.store().state() is State.READY


def test_a_crash_while_the_files_take_their_places_is_mended_without_the_network(place, hub):
    place.pull()
    hub.put(PICTURES, clip_files(seed=5))
    folder = place.folder / "clip"
    # As after a kill between the removal of the old lock and the new one: the plan is there, the parts moved.
    (folder / ".pull").mkdir()
    plan = {
        name: {"repository": part.repository, "revision": "main", "commit": part.commit}
        for name, part in place.store().lock().parts.items()
    }
    (folder / ".pull" / "plan.json").write_text(json.dumps(plan, indent=2))
    (folder / "lock.json").unlink()
    assert place.store().state() is State.PARTIAL
    hub.requests.clear()
    place.pull()
    assert hub.fetched() == []
    assert place.store().damage() == []
