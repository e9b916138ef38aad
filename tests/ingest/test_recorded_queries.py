"""The last texts that were searched for are kept, and a rebuild asks both generations for them."""

import pytest
from colour_model import ColourModel
from rebuild_places import Place, Turned, colour_row, model_schema, reopened

from havengate.errors import RequestError
from havengate.types import And, AndNot, Or, PicturePayload, SearchPlan, TextPayload, TextTerm, VectorTerm
from ingest.rebuild.record import RebuildRecord
from ingest.rebuild.recorder import QueryRecorder, recording, texts


def asked(text, index="vector"):
    return VectorTerm(index, TextPayload(text), n=5)


@pytest.fixture
def record(settings):
    opened = RebuildRecord(settings.data_dir)
    yield opened
    opened.close()


@pytest.fixture
def place(settings):
    with Place(settings, {"builtin": ColourModel(), "clip": Turned()}) as opened:
        opened.create()
        opened.push(colour_row(1, "red"), colour_row(2, "green"), colour_row(3, "blue"))
        yield opened


def test_texts_of_every_term_are_found():
    picture = VectorTerm("vector", PicturePayload("...", crop=False))
    tree = AndNot(Or((asked("red"), And((asked("blue", "other"), picture)))), TextTerm("title", "sea"))
    assert list(texts(tree)) == [("vector", "red"), ("other", "blue")]
    assert list(texts(None)) == []


def test_searches_that_were_answered_are_kept_and_pictures_are_not(place, record):
    recorder = QueryRecorder(place.settings.data_dir, 10)
    searcher = recording(place.services, recorder).searcher
    for text in ("red", "blue", "red"):
        assert searcher.search(SearchPlan("photos", asked(text))).hits
    with pytest.raises(RequestError):
        searcher.search(SearchPlan("photos", asked("white", "nope")))
    recorder.close()
    assert record.queries("photos", "vector") == ["red", "blue"]


def test_the_last_texts_stay(settings, record):
    for first in (0, 4):
        moments = iter(range(first, 100))
        recorder = QueryRecorder(settings.data_dir, 3, now=lambda moments=moments: next(moments))
        for number in range(first, first + 4):
            recorder.record("photos", "vector", f"text {number}")
        recorder.record("photos", "vector", f"text {first + 2}")
        recorder.close()
    assert record.queries("photos", "vector") == ["text 6", "text 7", "text 5"]
    assert record.queries("photos", "other") == []


def test_none_is_kept_where_the_setting_says_so(settings):
    recorder = QueryRecorder(settings.data_dir, 0)
    recorder.record("photos", "vector", "red")
    recorder.close()
    assert not settings.data_dir.exists()


def test_a_rebuild_compares_their_answers(place, record):
    record.record_queries([("photos", "vector", text, 1.0) for text in ("red", "blue", "green")], 10)
    job = place.rebuild(schema=model_schema("clip"))
    (rows, queries) = job.report["comparison"]
    assert (queries["by"], queries["asked"], queries["overlap"], queries["shift"]) == ("queries", 3, 1.0, 0.0)
    assert (rows["by"], rows["asked"], rows["overlap"]) == ("rows", 3, 1.0)


def test_a_model_that_is_gone_cannot_be_asked(place, record):
    record.record_queries([("photos", "vector", "red", 1.0)], 10)
    with reopened(place, builtin=Turned()) as later:
        (_, queries) = later.rebuild().report["comparison"]
        assert (queries["asked"], queries["overlap"], queries["shift"]) == (0, None, None)
    assert queries["note"] == "photos@g1 was made with colour-1, which is not here any more"
