"""A table is built again beside itself: what is copied, what is embedded again, what is refused, what is left."""

import pytest
from colour_model import ColourModel
from rebuild_places import Place, Turned, changed_schema, colour_row
from support import EXTRA_FIELDS

STOCK = {"field_name": "stock", "field_type": "INT32"}
WITHOUT_TITLE = tuple(each for each in EXTRA_FIELDS if each["field_name"] != "title")


@pytest.fixture
def place(settings):
    opened = Place(settings, {"builtin": ColourModel()})
    opened.create()
    opened.push(colour_row(1, "red", title="tomato"), colour_row(2, "green"), colour_row(3, "blue"))
    yield opened
    opened.close()


def reopened(place, **models):
    place.close()
    return Place(place.settings, models)


def test_another_schema_keeps_rows_vectors_and_pictures(place):
    before = place.content()
    seen = place.services.embedding._runner("builtin")
    job = place.rebuild(schema=changed_schema(*WITHOUT_TITLE, STOCK))
    assert (job.state, job.message) == ("done", "table photos is generation g2 with 3 rows")
    assert place.generations() == [("g1", 3, False), ("g2", 3, True)]
    after = place.content()
    assert {pk: row[1:] for pk, row in after.items()} == {pk: row[1:] for pk, row in before.items()}
    assert "title" not in after["1"][0]
    assert seen


def test_nothing_is_done_where_nothing_differs(place):
    assert place.rebuild().message == "nothing to do"
    assert place.generations() == [("g1", 3, True)]
    assert place.rebuild(force=True).state == "done"
    assert place.generations() == [("g1", 3, False), ("g2", 3, True)]


def test_pictures_are_embedded_again_with_a_model_of_another_space(place):
    before = place.content()
    turned = Turned()
    place = reopened(place, builtin=turned)
    job = place.rebuild()
    assert job.state == "done", job.message
    assert job.report["changes"] == [
        "vector index 'vector': re-embedded (the model builtin was colour-1 and is colour-2)"
    ]
    after = place.content()
    assert after.keys() == before.keys()
    for pk, (fields, vectors, sources) in after.items():
        assert (fields, sources) == (before[pk][0], before[pk][2])
        assert vectors["vector"] == before[pk][1]["vector"][-7:] + before[pk][1]["vector"][:-7]
    assert turned.pictures_seen == 3 + 1
    place.close()
