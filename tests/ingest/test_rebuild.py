"""A table is built again beside itself: what is copied, what is embedded again, what its writers do meanwhile."""

import base64
import hashlib
import json

import numpy as np
import pytest
from colour_model import ColourModel, picture
from rebuild_places import Place, Turned, changed_schema, colour_row, model_schema, once_at, reopened
from support import EXTRA_FIELDS

from engines.contract import at
from havengate.blobs import Since
from havengate.errors import JobError, SchemaError
from havengate.types import Row
from schemas.settings import TableSettings


def noise(vectors):
    """Unit vectors by chance, the same for the same picture."""
    seeds = [int.from_bytes(hashlib.sha256(vector.tobytes()).digest()[:8]) for vector in vectors]
    drawn = np.array([np.random.default_rng(seed).normal(size=vectors.shape[1]) for seed in seeds], np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


STOCK = {"field_name": "stock", "field_type": "INT32"}
WITHOUT_TITLE = tuple(each for each in EXTRA_FIELDS if each["field_name"] != "title")


def field(name, kind, **more):
    return {"field_name": name, "field_type": kind, **more}


@pytest.fixture
def place(settings):
    opened = Place(settings, {"builtin": ColourModel(), "clip": Turned()})
    opened.create()
    opened.push(colour_row(1, "red", title="tomato"), colour_row(2, "green"), colour_row(3, "blue"))
    yield opened
    opened.close()


def test_another_schema_keeps_rows_vectors_and_pictures(place):
    before, seen = place.content(), place.models["builtin"].pictures_seen
    job = place.rebuild(schema=changed_schema(*WITHOUT_TITLE, STOCK))
    assert (job.state, job.message) == ("done", "table photos is generation g2 with 3 rows")
    assert place.generations() == [("g1", 3, False), ("g2", 3, True)]
    after = place.content()
    assert {pk: row[1:] for pk, row in after.items()} == {pk: row[1:] for pk, row in before.items()}
    assert "title" not in after["1"][0]
    assert place.models["builtin"].pictures_seen == seen
    assert (job.counts.read, job.counts.written, job.counts.rejected) == (3, 3, 0)


def test_nothing_is_done_where_nothing_differs(place):
    assert place.rebuild().message == "nothing to do"
    assert place.generations() == [("g1", 3, True)]
    assert place.rebuild(force=True).state == "done"
    assert place.generations() == [("g1", 3, False), ("g2", 3, True)]


def test_settings_alone_are_a_difference(place):
    job = place.rebuild(settings=("text=plain",))
    assert job.report["changes"] == ["setting 'text': converted ('auto' becomes 'plain')"]
    assert place.services.engine.table("photos").settings.text == "plain"


@pytest.mark.parametrize("phase", ["copy", "swap"])
def test_settings_that_are_changed_meanwhile_stay(place, phase):
    def change(_):
        settings = place.services.engine.table("photos").settings
        place.services.engine.set_settings("photos", settings.with_pairs(("strict=true",)))

    place.show = once_at(change, phase)
    place.rebuild(settings=("text=plain",))
    settings = place.services.engine.table("photos").settings
    assert (settings.text, settings.strict) == ("plain", True)


def test_pictures_are_embedded_again_when_the_model_is_another_one_by_now(place):
    before = place.content()
    turned = Turned()
    with reopened(place, builtin=turned) as later:
        job = later.rebuild()
        assert job.state == "done", job.message
        assert job.report["changes"] == [
            "vector index 'vector': re-embedded (the model builtin was colour-1 and is colour-2)"
        ]
        after = later.content()
        assert after.keys() == before.keys()
        for pk, (fields, vectors, sources) in after.items():
            assert (fields, sources) == (before[pk][0], before[pk][2])
            assert vectors["vector"] == before[pk][1]["vector"][-7:] + before[pk][1]["vector"][:-7]


def test_one_picture_of_many_rows_is_embedded_once_in_the_new_generation(place):
    place.push(*(colour_row(key, "yellow") for key in range(100, 300)))
    warm = place.models["clip"].pictures_seen
    assert place.rebuild(schema=model_schema("clip")).state == "done"
    # Batches that are under way at the same moment do not know of each other.
    assert place.models["clip"].pictures_seen - warm < 30
    assert place.rebuild(schema=model_schema("builtin")).state == "done"


def test_what_is_written_while_it_runs_is_in_the_new_generation(place):
    place.push(*(colour_row(key, "blue") for key in range(10, 110)))

    def write(phase):
        place.push({"id": 1, "title": f"touched in {phase}"}, cmd="update_field")
        place.push(colour_row(10, "red", title=phase), colour_row(f"2{len(phase)}0", "white"))
        place.push({"id": 2}, {"id": 11}, cmd="delete")
        if phase == "catch up":
            place.push(colour_row(2, "purple"))

    place.show = once_at(write, "copy", "catch up", "compare")
    assert place.rebuild(schema=model_schema("clip")).state == "done"
    content = place.content()
    assert content["1"][0]["title"] == "touched in compare"
    assert content["10"][0]["title"] == "compare"
    assert content["10"][1]["vector"][7] == 1.0
    assert {"240", "280", "270"} <= content.keys()
    assert "11" not in content
    assert "2" not in content
    assert len(content) == 2 + 99 + 3


def test_values_are_fitted_to_wider_types(settings):
    with Place(settings, {"builtin": ColourModel()}) as place:
        place.create(extra_fields=(field("n", "INT32"), field("x", "INT16"), field("s", "STRING")))
        place.push(colour_row(1, "red", n=7, x=-3, s="a\x1db"), colour_row(2, "red"))
        wider = (field("n", "STRING"), field("x", "FLOAT", multi_value=True), field("s", "TEXT", multi_value=True))
        assert place.rebuild(schema=changed_schema(*wider)).state == "done"
        fields = place.content()["1"][0]
        assert (fields["n"], fields["x"], fields["s"]) == ("7", [-3.0], ["a\x1db"])
        assert place.content()["2"][0].keys() == {"id", "vector_source_image", "cate_id"}
        back = place.rollback()
        assert back.state == "done"
        place.push(colour_row(3, "red", n=8))
        assert place.rollback(generation="g2").state == "done"
        assert place.content()["3"][0]["n"] == "8"


def test_what_cannot_be_done_is_refused_with_every_reason_before_there_is_a_job(place):
    schema = changed_schema(field("price", "STRING"), field("title", "INT32"))
    with pytest.raises(SchemaError) as refused:
        place.rebuild(schema=schema)
    assert "'price'" in refused.value.message
    assert "'title'" in refused.value.message
    assert place.store.jobs() == []


def lose_picture(place, colour):
    """As if somebody had deleted it from the disk."""
    text = base64.b64encode(picture(colour))
    key = place.services.tables.blobs.put("photos", text)
    place.services.tables.blobs.delete("photos", [key], Since())


def test_rows_that_would_lack_something_stop_it_before_the_swap(place):
    lose_picture(place, "green")
    job = place.rebuild(schema=model_schema("clip"))
    assert job.state == "failed"
    assert "1 rows of table 'photos' would lack something, 0 may" in job.message
    assert "- 2: field 'vector_source_image': its picture is lost" in job.message
    assert place.services.engine.table("photos").generation == "g1"
    assert [(reject.pk, reject.reason) for reject in place.store.rejects(job.id)] == [
        ("2", "field 'vector_source_image': its picture is lost")
    ]
    again = place.rebuild(schema=model_schema("clip"), max_rejects=1)
    assert (again.id, again.state, again.counts.rejected) == (job.id, "done", 1)
    assert again.report["lacking"] == {"2": "field 'vector_source_image': its picture is lost"}
    assert len(place.store.rejects(job.id)) == 1
    fields, vectors, _ = place.content()["2"]
    assert fields["cate_id"] == 1
    assert vectors == {}


def test_rows_that_were_mended_are_whole_when_it_goes_on(place):
    lose_picture(place, "green")
    lose_picture(place, "blue")
    job = place.rebuild(schema=model_schema("clip"))
    assert job.counts.rejected == 2
    place.push(colour_row(2, "white"))
    place.push({"id": 3}, cmd="delete")
    again = place.rebuild(schema=model_schema("clip"))
    assert (again.id, again.state, again.counts.rejected) == (job.id, "done", 0)
    assert place.content()["2"][1]["vector"][7] > 0


def test_a_pushed_vector_without_a_picture_is_none_of_another_model(place):
    place.push({"id": 9, "vector": [1.0] * 512})
    job = place.rebuild(schema=model_schema("clip"))
    assert "- 9: field 'vector': there is no picture to make its vector from again" in job.message


def test_a_cancelled_rebuild_leaves_nothing(place):
    place.show = once_at(lambda _: place.store.ask(1, "cancel"), "copy")
    job = place.rebuild(force=True)
    assert job.state == "cancelled"
    assert place.generations() == [("g1", 3, True)]
    assert place.rebuild(force=True).state == "done"


def test_a_paused_rebuild_goes_on_with_the_same_command(place):
    place.show = once_at(lambda _: place.store.ask(1, "pause"), "compare")
    job = place.rebuild(force=True)
    assert job.state == "paused"
    place.push(colour_row(4, "white"))
    with pytest.raises(JobError, match=r"job 1 \(rebuild of photos\) has been begun and is paused"):
        place.rebuild(schema=model_schema("clip"))
    job = place.rebuild(force=True)
    assert (job.id, job.state) == (1, "done")
    assert place.content().keys() == {"1", "2", "3", "4"}


def test_a_generation_that_nobody_builds_any_more_is_dropped(place):
    spec = place.services.engine.table("photos")
    left = place.services.engine.build_generation("photos", spec)
    place.services.engine.upsert(at("photos", left), [Row("77", {"id": 77})])
    job = place.rebuild(settings=("text=plain",))
    assert job.state == "failed"
    assert job.message.startswith(f"generation {left} of table 'photos' is being built by somebody else")
    place.store.ask(job.id, "cancel")
    place.run(job)
    assert place.generations()[1][:2] == (left, 1)
    assert place.rebuild(force=True).state == "done"
    assert place.content().keys() == {"1", "2", "3"}


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_rebuild_that_died_behind_its_first_step_drops_what_it_began(place, monkeypatch, cancelled):
    build = type(place.services.engine).build_generation

    def and_die(*args):
        build(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(place.services.engine), "build_generation", and_die)
    with pytest.raises(KeyboardInterrupt):
        place.rebuild(settings=("text=plain",))
    monkeypatch.undo()
    if cancelled:
        place.run(place.store.ask(1, "cancel"))
        assert place.generations() == [("g1", 3, True)]
    assert place.rebuild(settings=("text=plain",)).state == "done"
    assert place.generations() == [("g1", 3, False), ("g2", 3, True)]


@pytest.mark.parametrize(("keep", "left"), [(0, ["g4"]), (1, ["g3", "g4"]), (2, ["g2", "g3", "g4"])])
def test_older_generations_go_as_the_setting_says(settings, keep, left):
    kept = settings.engine.model_copy(update={"keep_generations": keep})
    with Place(settings.model_copy(update={"engine": kept}), {"builtin": ColourModel()}) as place:
        place.create()
        for _ in range(3):
            place.rebuild(force=True)
        assert [name for name, _, _ in place.generations()] == left


def test_what_was_in_use_is_kept_for_the_way_back(place):
    place.rebuild(force=True)
    place.rollback()
    place.rebuild(force=True)
    assert [name for name, _, _ in place.generations()] == ["g1", "g3"]


def blobs(place):
    return {path.name for path in (place.settings.data_dir / "blobs" / "photos").rglob("*") if path.is_file()}


def test_pictures_that_no_generation_holds_any_more_are_removed(place):
    place.rebuild(force=True)
    place.push({"id": 1}, cmd="delete")
    place.push(colour_row(2, "white"))
    assert len(blobs(place)) == 4
    job = place.rebuild(force=True)
    # The generation that is kept was in use then and has them no more; the one before it is gone.
    assert job.report["pictures_removed"] == 2
    assert job.report["dropped"] == ["g1"]
    held = {row[0]["vector_source_image"] for row in place.content().values()}
    assert blobs(place) == held


def test_answers_that_are_too_different_are_not_swapped_in(place):
    place.push(*(colour_row(key, (key, 255 - key, 99)) for key in range(20, 120)))

    class Blind(Turned):
        def embed_pictures(self, pixels):
            return noise(super().embed_pictures(pixels))

    with reopened(place, builtin=ColourModel(), clip=Blind()) as later:
        job = later.rebuild(schema=model_schema("clip"), min_overlap=0.9)
        assert job.state == "failed"
        assert "answers too differently (at least 0.9 was asked for)" in job.message
        assert later.services.engine.table("photos").generation == "g1"
        again = later.rebuild(schema=model_schema("clip"), min_overlap=0.0)
        assert (again.id, again.state) == (job.id, "done")
        (rows, queries) = again.report["comparison"]
        assert (rows["by"], rows["asked"]) == ("rows", 100)
        assert 0 <= rows["overlap"] < 0.9
        assert rows["shift"] >= 0
        assert queries["note"] == "no queries to compare"


def test_secrets_of_a_new_schema_are_in_no_job_and_on_no_disk_when_it_has_ended(place):
    schema = changed_schema(*EXTRA_FIELDS)
    schema["fields"][1]["user_defined_param"] = {"oss_secret": "hush-hush"}
    place.show = once_at(lambda _: place.store.ask(1, "pause"), "decide")
    place.rebuild(schema=schema)
    files = list(place.settings.data_dir.rglob("*.schema.json"))
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600]
    assert "hush-hush" not in json.dumps([dict(job.params) for job in place.store.jobs()])
    place.show = lambda _: None
    assert place.rebuild(schema=schema).state == "done"
    assert not any(path.exists() for path in files)
    fields = place.services.engine.table("photos").vendor_schema["fields"]
    assert fields[1]["user_defined_param"] == {"oss_secret": "hush-hush"}
    place.changes.close()
    assert b"hush-hush" not in b"".join(path.read_bytes() for path in place.settings.data_dir.glob("jobs.sqlite*"))
    masked = json.loads(json.dumps(schema).replace("hush-hush", "******"))
    masked["fields"].append(STOCK)
    assert place.rebuild(schema=masked).state == "done"
    fields = place.services.engine.table("photos").vendor_schema["fields"]
    assert fields[1]["user_defined_param"] == {"oss_secret": "hush-hush"}


def test_the_history_tells_of_rebuild_swap_and_schema(place):
    place.rebuild(schema=changed_schema(*EXTRA_FIELDS, STOCK), settings=("source=table:other",))
    told = {change.what: change for change in place.changes.entries(table="photos")}
    assert told.keys() == {"rebuild", "swap", "schema", "source"}
    assert (told["rebuild"].state, told["rebuild"].written, told["rebuild"].by) == ("done", 3, "cli:tester")
    assert told["swap"].detail["changes"] == ["generation g1 becomes g2"]
    (version,) = place.changes.versions("photos")
    assert version.schema["fields"][-1] == STOCK


def test_a_table_that_keeps_no_pictures_cannot_be_embedded_again(settings):
    with Place(settings, {"builtin": ColourModel(), "clip": Turned()}) as place:
        place.create(settings=TableSettings(store_source=False))
        place.push(colour_row(1, "red"))
        with pytest.raises(SchemaError, match="the table keeps no pictures"):
            place.rebuild(schema=model_schema("clip"))
