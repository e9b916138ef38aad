"""What can come between a rebuild and its swap: writers, other gateways, rows that are gone."""

import pytest
from colour_model import ColourModel
from rebuild_places import Place, Turned, colour_row, model_schema, once_at, reopened

from engines.embedded.engine import EmbeddedEngine


@pytest.fixture
def place(settings):
    with Place(settings, {"builtin": ColourModel(), "clip": Turned()}) as opened:
        opened.create()
        opened.push(colour_row(1, "red"), colour_row(2, "green"), colour_row(3, "blue"))
        yield opened


def test_what_is_written_while_the_journal_is_read_is_of_the_next_round(place, monkeypatch):
    touched, left = EmbeddedEngine.touched, [colour_row(4, "white")]

    def and_written(*args):
        keys = touched(*args)
        while left:
            place.push(left.pop())
        return keys

    monkeypatch.setattr(EmbeddedEngine, "touched", and_written)
    assert place.rebuild(force=True).state == "done"
    assert place.content().keys() == {"1", "2", "3", "4"}


def test_a_row_that_comes_at_last_and_would_lack_something_stops_it(place):
    place.show = once_at(lambda _: place.push({"id": 9, "vector": [1.0] * 512}), "swap")
    job = place.rebuild(schema=model_schema("clip"))
    assert (job.state, job.counts.rejected) == ("failed", 1)
    assert "- 9: field 'vector'" in job.message
    assert place.services.engine.table("photos").generation == "g1"


def test_where_rows_are_missing_nothing_is_swapped(place):
    place.show = once_at(lambda _: place.services.engine.delete("photos@g2", ["1"]), "swap")
    job = place.rebuild(force=True)
    assert (job.state, job.message) == ("failed", "photos@g2 has 2 rows and photos@g1 3: nothing has changed")
    assert place.generations()[0] == ("g1", 3, True)


def test_one_that_another_gateway_overtook_begins_anew_from_what_is_current(place):
    place.rebuild(force=True)
    place.push(colour_row(4, "white"))
    place.show = once_at(lambda _: place.services.engine.use_generation("photos", "g1"), "swap")
    job = place.rebuild(force=True)
    assert (job.state, job.message.partition(",")[0]) == ("failed", "table 'photos' is generation g1 by now")
    assert place.services.engine.table("photos").generation == "g1"
    assert place.rebuild(force=True).state == "done"
    assert place.content().keys() == {"1", "2", "3"}


def test_a_model_that_was_exchanged_while_it_was_paused_makes_all_vectors(place):
    place.show = once_at(lambda _: place.store.ask(1, "pause"), "compare")
    assert place.rebuild(force=True).state == "paused"
    with reopened(place, builtin=Turned()) as later:
        assert later.rebuild(force=True).state == "done"
        assert {vectors["vector"][7] for _, vectors, _ in later.content().values()} == {1.0, 0.0}


@pytest.mark.parametrize("killed_at", ["ingest.rebuild.swap._tell_history", "ingest.rebuild.work.Work.reject"])
def test_one_that_was_killed_behind_its_swap_tidies_up_and_tells_of_it_once(place, monkeypatch, killed_at):
    def kill(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(killed_at, kill)
    with pytest.raises(KeyboardInterrupt):
        place.rebuild(schema=model_schema("clip"))
    monkeypatch.undo()
    job = place.rebuild(schema=model_schema("clip"))
    assert (job.id, job.state, job.counts.read) == (1, "done", 3)
    assert place.generations() == [("g1", 3, False), ("g2", 3, True)]
    assert [entry.what for entry in place.changes.entries()] == ["rebuild", "swap", "schema"]


def test_a_picture_that_only_a_kept_generation_holds_stays(place):
    (row,) = place.services.engine.fetch("photos", ["1"]).values()
    place.rebuild(force=True)
    place.push({"id": 1}, cmd="delete")
    place.show = once_at(lambda _: place.store.ask(2, "cancel"), "compare")
    assert place.rebuild(force=True).state == "cancelled"
    assert place.services.tables.blobs.get("photos", row.fields["vector_source_image"])
