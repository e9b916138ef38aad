"""Rebuilds and rollbacks over a cluster."""

import uuid

import pytest
import rebuild_child
from rebuild_places import colour_row, model_schema, once_at

from havengate.settings import Settings


@pytest.fixture
def place(tmp_path, opensearch_url):
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    with rebuild_child.open_place(Settings(data_dir=tmp_path / "data"), opensearch_url, prefix) as opened:
        opened.create()
        opened.push(*(colour_row(key, "blue") for key in range(40)))
        yield opened
        for name in opened.services.tables.names():
            opened.services.tables.drop(name)


def writing(place):
    """Writes in every phase: one row is added, one changed, one deleted."""
    turns = iter(range(3))

    def write(phase):
        turn = next(turns)
        place.push(colour_row(100 + turn, "red"), colour_row(turn, "yellow", title=phase))
        place.push({"id": 20 + turn}, cmd="delete")

    return write


def test_what_is_written_meanwhile_is_in_the_new_generation_and_comes_back_with_a_rollback(place):
    place.show = once_at(writing(place), "copy", "catch up", "compare")
    job = place.rebuild(schema=model_schema("clip"))
    assert job.state == "done", job.message
    content = place.content()
    assert content.keys() == {*map(str, range(40)), "100", "101", "102"} - {"20", "21", "22"}
    assert [content[key][0].get("title") for key in ("0", "1", "2", "3")] == ["copy", "catch up", "compare", None]
    assert {vectors["vector"][7] for _, vectors, _ in content.values()} == {1.0, 0.0, 0.70711}
    assert all(vectors["vector"][:3] == [0.0, 0.0, 0.0] for _, vectors, _ in content.values())
    place.show = once_at(lambda phase: place.push({"id": 30}, {"id": len(phase)}, cmd="delete"), "replay", "catch up")
    place.push(colour_row(200, "green"), colour_row(30, "green"))
    job = place.rollback()
    assert job.state == "done", job.message
    later = place.content()
    assert later.keys() == content.keys() - {"30", "6", "8"} | {"200"}
    assert all(any(vectors["vector"][:3]) for _, vectors, _ in later.values())
    assert place.generations() == [("g1", len(later), True), ("g2", len(later), False)]


def test_older_generations_and_their_pictures_go(place):
    place.rebuild(force=True)
    place.push({"id": 1}, cmd="delete")
    place.push(*(colour_row(key, "white") for key in range(40)))
    job = place.rebuild(force=True)
    assert (job.report["dropped"], job.report["pictures_removed"]) == (["g1"], 1)
    assert [name for name, _, _ in place.generations()] == ["g2", "g3"]


def test_tokens_of_pictures_that_were_revoked_stay_so(place):
    place.rebuild(force=True)
    settings = place.services.engine.table("photos").settings
    place.services.engine.set_settings("photos", settings.model_copy(update={"image_tokens": 4}))
    job = place.rollback()
    assert job.state == "done", job.message
    now = place.services.engine.table("photos")
    assert (now.generation, now.settings.image_tokens) == ("g1", 4)
