"""Back to a generation that was kept, with what was written since."""

import pytest
from colour_model import ColourModel
from rebuild_places import Place, Turned, changed_schema, colour_row, model_schema, once_at, reopened

from havengate.errors import JobError, UnknownGeneration, UnknownTable

WIDE = ({"field_name": "n", "field_type": "INT64"},)
NARROW = ({"field_name": "n", "field_type": "INT8"},)


@pytest.fixture
def place(settings):
    kept = settings.engine.model_copy(update={"keep_generations": 3})
    models = {"builtin": ColourModel(), "clip": Turned()}
    with Place(settings.model_copy(update={"engine": kept}), models) as opened:
        opened.create()
        opened.push(colour_row(1, "red", title="tomato"), colour_row(2, "green"), colour_row(3, "blue"))
        yield opened


def write(place, number):
    """Another row is added, and one changed; the first goes."""
    place.push(colour_row(10 * number, "yellow", title=f"round {number}"))
    place.push({"id": 3, "title": f"round {number}"}, cmd="update_field")
    place.push({"id": 1}, cmd="delete")


def test_what_was_written_since_comes_along_embedded_by_the_old_model(place):
    place.rebuild(schema=model_schema("clip"))
    write(place, 1)
    job = place.rollback()
    assert (job.state, job.message) == ("done", "table photos is generation g1 with 3 rows")
    assert job.report["replay"] == "3 rows that were touched since"
    content = place.content()
    assert content.keys() == {"2", "3", "10"}
    assert content["3"][0]["title"] == "round 1"
    assert content["10"][1]["vector"][:3] == pytest.approx([0.70711, 0.70711, 0.0], abs=1e-4)
    assert place.services.engine.table("photos").vendor_schema == model_schema("builtin")
    swaps = [change.detail["changes"] for change in place.changes.entries() if change.what == "swap"]
    assert swaps == [["generation g1 becomes g2"], ["generation g2 becomes g1"]]


def test_the_way_forward_is_a_rollback_to_the_newer_generation(place):
    place.rebuild(schema=model_schema("clip"))
    place.rollback()
    write(place, 1)
    with pytest.raises(UnknownGeneration, match="no generation before g1; there are: g1, g2"):
        place.rollback()
    assert place.rollback(generation="g2").state == "done"
    content = place.content()
    assert content.keys() == {"2", "3", "10"}
    assert content["10"][1]["vector"][7:10] == pytest.approx([0.70711, 0.70711, 0.0], abs=1e-4)


def test_what_was_written_in_the_generations_between_comes_along(place):
    for number in (1, 2, 3):
        place.rebuild(force=True)
        write(place, number)
    assert [name for name, _, _ in place.generations()] == ["g1", "g2", "g3", "g4"]
    job = place.rollback(generation="g1")
    assert job.report["replay"] == "5 rows that were touched since"
    content = place.content()
    assert content.keys() == {"2", "3", "10", "20", "30"}
    assert content["3"][0]["title"] == "round 3"


def test_what_was_written_before_a_generation_was_used_again_comes_along(place):
    place.rebuild(force=True)
    place.push(colour_row(4, "white"))
    place.rebuild(force=True)
    assert [place.rollback().state, place.rollback().state] == ["done", "done"]
    assert place.generations()[0] == ("g1", 4, True)


def test_where_a_generation_between_is_gone_every_row_is_brought_over(place):
    for number in (1, 2):
        place.rebuild(force=True)
        write(place, number)
    place.services.engine.drop_generation("photos", "g2")
    job = place.rollback(generation="g1")
    assert job.report["replay"].startswith("every row")
    assert place.content() == place.content("photos@g3")
    assert place.content().keys() == {"2", "3", "10", "20"}


def test_what_is_written_while_it_runs_comes_along(place):
    place.rebuild(schema=model_schema("clip"))
    place.show = once_at(lambda phase: place.push(colour_row(len(phase), "white")), "replay", "catch up", "swap")
    place.push(colour_row(5, "blue"))
    assert place.rollback().state == "done"
    assert place.content().keys() == {"1", "2", "3", "5", "6", "8", "4"}


@pytest.mark.parametrize("strict", [True, False])
def test_what_does_not_fit_is_told(settings, strict):
    with Place(settings, {"builtin": ColourModel()}) as place:
        place.create(extra_fields=NARROW)
        place.push(colour_row(1, "red", n=7))
        place.rebuild(schema=changed_schema(*WIDE))
        place.push(colour_row(1, "red", n=700), colour_row(2, "red", n=8))
        job = place.rollback(strict=strict)
        why = "field 'n': 700 is outside INT8 (-128 to 127)"
        if strict:
            assert job.state == "failed"
            assert why in job.message
            assert place.services.engine.table("photos").generation == "g2"
            job = place.rollback()
        assert (job.state, job.counts.rejected) == ("done", 1)
        assert job.report["lacking"] == {"1": why}
        assert "1 rows lack something" in job.message
        content = place.content()
        assert "n" not in content["1"][0]
        assert content["2"][0]["n"] == 8


def test_without_the_old_model_rows_come_along_without_their_vectors(place):
    with reopened(place, builtin=Turned()) as later:
        later.rebuild()
        later.push(colour_row(4, "white", title="snow"))
        job = later.rollback()
        assert job.state == "done"
        assert job.counts.rejected == 1
        gone = "photos@g1 was made with colour-1, which is not here any more"
        assert job.report["lacking"] == {"4": f"field 'vector': {gone}"}
        assert job.report["notes"] == [f"index 'vector' finds no texts and pictures: {gone}"]
        fields, vectors, _ = later.content()["4"]
        assert (fields["title"], vectors) == ("snow", {})
        assert later.content()["1"][1]["vector"][0] == 1.0


def test_it_goes_on_after_a_pause(place):
    place.rebuild(schema=model_schema("clip"))
    write(place, 1)
    place.show = once_at(lambda _: place.store.ask(2, "pause"), "catch up")
    assert place.rollback().state == "paused"
    with pytest.raises(JobError, match="has been begun"):
        place.rebuild(force=True)
    place.push(colour_row(6, "white"))
    job = place.rollback()
    assert (job.id, job.state) == (2, "done")
    assert place.content().keys() == {"2", "3", "10", "6"}


def test_one_that_is_cancelled_leaves_the_table_as_it_is(place):
    place.rebuild(schema=model_schema("clip"))
    write(place, 1)
    place.show = once_at(lambda _: place.store.ask(2, "cancel"), "catch up")
    assert place.rollback().state == "cancelled"
    assert place.services.engine.table("photos").generation == "g2"
    place.show = lambda _: None
    write(place, 2)
    assert place.rollback().state == "done"
    assert place.content().keys() == {"2", "3", "10", "20"}


def test_there_is_no_way_back_to_what_is_not_kept(place):
    with pytest.raises(UnknownGeneration, match="no generation before g1"):
        place.rollback()
    with pytest.raises(UnknownTable):
        place.rollback("nope")
    with pytest.raises(JobError, match="table 'photos' is generation g1 already"):
        place.rollback(generation="g1")
    with pytest.raises(UnknownGeneration, match="no generation 'g7'; there are: g1"):
        place.rollback(generation="g7")
    assert place.store.jobs() == []


def test_tokens_of_pictures_that_were_revoked_stay_so(place):
    place.rebuild(force=True)
    settings = place.services.engine.table("photos").settings
    place.services.engine.set_settings("photos", settings.model_copy(update={"image_tokens": 4}))
    assert place.rollback().state == "done"
    assert place.services.engine.table("photos").settings.image_tokens == 4
