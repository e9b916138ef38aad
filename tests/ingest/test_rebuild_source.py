"""A table is built again from its source, with what was written meanwhile; by itself for a new partition."""

import json
import os

import pytest
from colour_model import ColourModel
from rebuild_places import BY, Place, Turned, changed_schema, colour_row, once_at
from support import photo_row

from havengate.errors import JobError, RequestError, SourceAway
from ingest.rebuild.automatic import due_rebuilds
from ingest.rebuild.decide import Wanted
from ingest.rebuild.request import FROM_TABLE, Rebuild, ask_rebuild
from schemas.settings import TableSettings
from schemas.templates import template

AUTOMATIC = TableSettings(source="maxcompute://shop/photos?partition=latest", rebuild="auto")


@pytest.fixture
def place(settings):
    with Place(settings, {"builtin": ColourModel(), "clip": Turned()}) as opened:
        opened.create()
        opened.push(colour_row(1, "red", title="old"), colour_row(2, "green"))
        yield opened


@pytest.fixture
def source(tmp_path):
    def write(*rows):
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(file)

    return write


def test_the_rows_are_those_of_the_source_and_what_was_written_meanwhile(place, source):
    rows = [colour_row(1, "blue", title="new"), colour_row(3, "white"), colour_row(2, "yellow")]

    def meanwhile(_):
        place.push(colour_row(9, "purple", title="live"))
        place.push({"id": 2}, cmd="delete")

    place.show = once_at(meanwhile, "catch up")
    job = place.rebuild(source=source(*rows))
    assert job.state == "done", job.message
    content = place.content()
    assert {pk: row[0].get("title") for pk, row in content.items()} == {"1": "new", "3": None, "9": "live"}
    assert content["1"][1]["vector"][:3] == [0.0, 0.0, 1.0]
    assert job.report["rows"] == {"g1": 2, "g2": 3}


def test_the_tables_own_source_is_meant_where_none_is_named(place, source):
    with pytest.raises(RequestError, match="has no source"):
        place.rebuild(source=FROM_TABLE)
    for options in ({"source": "oss://key:hush-hush@b/x"}, {"settings": ("source=oss://key:hush-hush@b/x",)}):
        with pytest.raises(RequestError, match="no keys") as refused:
            place.rebuild(**options)
        assert "hush" not in refused.value.message
    path = source(colour_row(5, "red"))
    assert place.rebuild(source=FROM_TABLE, settings=(f"source={path}",)).state == "done"
    assert place.content().keys() == {"5"}
    assert place.services.engine.table("photos").settings.source == path
    source(colour_row(6, "red"))
    assert place.rebuild(source=FROM_TABLE).state == "done"
    assert place.content().keys() == {"6"}


def test_a_source_may_bring_what_rows_cannot_become(settings, source):
    with Place(settings, {"builtin": ColourModel()}) as place:
        place.create(extra_fields=({"field_name": "n", "field_type": "STRING"},))
        place.push(colour_row(1, "red", n="7"))
        number = changed_schema({"field_name": "n", "field_type": "INT32"})
        path = source(colour_row(1, "red", n=70))
        place.show = once_at(
            lambda _: place.push(colour_row(2, "red", n="8"), colour_row(3, "red", n="many")), "catch up"
        )
        job = place.rebuild(schema=number, source=path)
        assert job.state == "failed"
        assert "- 3: field 'n': 'many' is not a INT32" in job.message
        job = place.rebuild(schema=number, source=path, max_rejects=1)
        assert job.state == "done"
        assert {pk: row[0].get("n") for pk, row in place.content().items()} == {"1": 70, "2": 8, "3": None}


def test_rejected_rows_of_the_source_are_counted(place, source):
    path = source(colour_row(1, "red"), {"id": 2, "vector_source_image": "bm8gcGljdHVyZQ=="}, {"id": "x"})
    job = place.rebuild(source=path)
    assert job.state == "failed"
    assert f"2 rows of {path} are rejected, 0 may be" in job.message
    job = place.rebuild(source=path, max_rejects=2)
    assert (job.state, job.counts.rejected) == ("done", 2)
    assert place.content().keys() == {"1"}


def test_an_empty_table_is_not_swapped_in_unasked(place, source):
    job = place.rebuild(source=source())
    assert "no row of" in job.message
    assert place.content().keys() == {"1", "2"}
    place.store.ask(job.id, "cancel")
    place.run(job)
    assert place.store.job(job.id).state == "cancelled"
    assert place.rebuild(source=source(), force=True).state == "done"
    assert place.content() == {}


@pytest.fixture
def automatic(settings):
    with Place(settings, {"builtin": ColourModel()}) as opened:
        opened.services.tables.create("photos", template("base64"), AUTOMATIC)
        opened.services.tables.create("manual", template("base64"), TableSettings(source=AUTOMATIC.source))
        yield opened


def due(place, newest):
    asked = []

    def look(source, _settings):
        asked.append(source)
        return newest

    made = due_rebuilds(place.services, place.store, look)
    assert set(asked) <= {AUTOMATIC.source}
    return [(job.table, job.kind, job.by, job.params["source"]) for job in made]


def finish(place):
    for job in place.store.jobs("photos"):
        if job.state == "queued":
            place.store.finish(job.id, "done", "")


def test_a_new_partition_has_one_job(automatic):
    first = ("photos", "rebuild", "automatic", "maxcompute://shop/photos?partition=ds=20260101")
    assert due(automatic, None) == []
    assert due(automatic, "ds=20260101") == [first]
    assert due(automatic, "ds=20260101") == []
    # While one is under way the next one waits.
    assert due(automatic, "ds=20260102") == []
    finish(automatic)
    assert due(automatic, "ds=20260101") == []
    assert due(automatic, "ds=20260102") == [(*first[:3], first[3].replace("0101", "0102"))]
    finish(automatic)
    assert due(automatic, "ds=20260102") == []
    # The job table forgets in time, and an older partition is no news.
    automatic.store.prune(0)
    assert due(automatic, "ds=20260102") == []


def test_a_job_that_was_made_before_a_kill_is_not_made_again(automatic):
    source = "maxcompute://shop/photos?partition=ds=20260101"
    job = ask_rebuild(
        automatic.services, automatic.store, "photos", Rebuild(Wanted(source=source), max_rejects=None), BY
    )
    assert due(automatic, "ds=20260101") == []
    automatic.store.finish(job.id, "done", "")
    assert due(automatic, "ds=20260101") == []


def test_a_table_that_was_made_again_begins_anew(automatic):
    assert len(due(automatic, "ds=20260101")) == 1
    automatic.services.tables.drop("photos")
    automatic.store.prune(0)
    assert due(automatic, "ds=20260101") == []


def test_a_source_that_is_away_is_asked_again_the_next_time(automatic, caplog):
    def away(_source, _settings):
        raise SourceAway("MaxCompute does not answer")

    assert due_rebuilds(automatic.services, automatic.store, away) == []
    assert "table photos is not rebuilt by itself: MaxCompute does not answer" in caplog.text
    assert len(due(automatic, "ds=20260101")) == 1


def test_a_rebuild_from_a_source_begins_no_second_time(place, source):
    path = source(*(photo_row(key, "red") for key in range(200)))
    place.show = once_at(lambda _: place.store.ask(1, "pause"), "read")
    assert place.rebuild(source=path).state == "paused"
    generation = place.store.job(1).checkpoint["generation"]
    place.services.engine.drop_generation("photos", generation)
    job = place.rebuild(source=path)
    assert job.state == "failed"
    assert "cancel it and give the command again" in job.message
    with pytest.raises(JobError, match="has been begun"):
        place.rebuild(source=path, force=True)


def test_secrets_of_jobs_that_ended_without_a_word_are_removed(automatic):
    schema = changed_schema()
    schema["fields"][1]["user_defined_param"] = {"oss_secret": "hush-hush"}
    for name in ("photos", "manual"):
        ask_rebuild(automatic.services, automatic.store, name, Rebuild(Wanted(schema)), BY)
    files = sorted(automatic.settings.data_dir.rglob("*.schema.json"))
    assert [file.name.split("-")[0] for file in files] == ["manual", "photos"]
    automatic.store.finish(1, "cancelled", "table photos was dropped")
    for file in files:
        os.utime(file, (0, 0))
    assert due(automatic, None) == []
    assert [file.exists() for file in files] == [True, False]
