"""A table that is rebuilt under a search: the answer is of one generation and its model, never of two."""

from __future__ import annotations

from dataclasses import replace

import pytest
from colour_model import ColourModel
from support import photo_row

from embedding.service import EmbeddingService
from engines.embedded.engine import EmbeddedEngine
from havengate.blobs import FolderBlobStore
from havengate.documents import Command
from havengate.errors import Moved, RequestError
from havengate.services import wire
from havengate.types import SearchPlan, StoredIdPayload, TextPayload, VectorTerm
from schemas.settings import TableSettings
from schemas.templates import template


class MirroredModel(ColourModel):
    """The same colours elsewhere: a vector of ColourModel's red is its blue."""

    def embed_pictures(self, pixels):
        return super().embed_pictures(pixels)[:, [2, 1, 0, *range(3, 512)]]

    def embed_texts(self, texts):
        return super().embed_texts(texts)[:, [2, 1, 0, *range(3, 512)]]


class Interrupted(EmbeddingService):
    """Something happens after each text is embedded, as often as it was planned."""

    planned = ()

    def embed_text(self, model, text):
        vector = super().embed_text(model, text)
        if self.planned:
            self.planned.pop(0)()
        return vector


@pytest.fixture
def services(settings):
    models = {"builtin": lambda _: ColourModel(), "clip": lambda _: MirroredModel("mirrored")}
    blobs = FolderBlobStore(settings.data_dir / "blobs")
    opened = wire(settings, EmbeddedEngine.open(settings.data_dir), Interrupted(settings.embedding, models), blobs)
    opened.tables.create("photos", template("base64"), TableSettings())
    fill(opened, "photos")
    spec = opened.engine.table("photos")
    index = replace(spec.schema.vector_indexes["vector"], model="clip")
    schema = replace(spec.schema, vector_indexes={"vector": index})
    fingerprints = {"vector": opened.embedding.fingerprint("clip")}
    opened.engine.build_generation("photos", replace(spec, schema=schema, fingerprints=fingerprints))
    fill(opened, "photos@g2")
    yield opened
    opened.close()


def fill(services, address):
    rows = [photo_row(key, colour) for key, colour in ((1, "red"), (2, "green"), (3, "blue"))]
    report = services.documents.push(services.engine.table(address), [Command("add", row) for row in rows])
    assert report.failures == ()


def best(services, payload, **plan):
    result = services.searcher.search(SearchPlan("photos", VectorTerm("vector", payload, n=1), **plan))
    return [(hit.pk, hit.score, *(vector.argmax() for vector in hit.vectors.values())) for hit in result.hits]


def swap(services, generation):
    return lambda: services.engine.use_generation("photos", generation)


def test_a_swap_between_embedding_and_asking_starts_the_search_again(services):
    assert best(services, TextPayload("red")) == [("1", pytest.approx(0, abs=1e-6))]
    services.embedding.planned = [swap(services, "g2")]
    assert best(services, TextPayload("red")) == [("1", pytest.approx(0, abs=1e-6))]
    assert services.engine.table("photos").generation == "g2"
    # There and back again, before either question was asked.
    services.embedding.planned = [swap(services, "g1"), swap(services, "g2")]
    assert best(services, TextPayload("blue")) == [("3", pytest.approx(0, abs=1e-6))]
    assert services.embedding.planned == []


def test_vectors_of_an_answer_are_of_the_generation_that_was_searched(services):
    fetch, engine = services.engine.fetch, services.engine
    swaps = [swap(services, "g2")]

    def swapped(name, pks, vector_fields=()):
        if swaps:
            swaps.pop()()
        return fetch(name, pks, vector_fields)

    engine.fetch = swapped
    ((pk, score, place),) = best(services, TextPayload("red"), output_fields=("id", "vector"))
    assert (pk, score, place) == ("1", pytest.approx(0, abs=1e-6), 0)
    assert engine.table("photos").generation == "g2"
    ((_, _, place),) = best(services, TextPayload("red"), output_fields=("id", "vector"))
    assert place == 2


def test_a_row_that_is_searched_with_is_of_the_generation_that_is_searched(services):
    fetch = services.engine.fetch
    swaps = [swap(services, "g2")]

    def swapped(name, pks, vector_fields=()):
        found = fetch(name, pks, vector_fields)
        if swaps:
            swaps.pop()()
        return found

    services.engine.fetch = swapped
    assert best(services, StoredIdPayload("3")) == [("3", 0)]
    assert services.engine.table("photos").generation == "g2"


def test_a_generation_dropped_under_a_search_is_read_again(services):
    fetch, engine = services.engine.fetch, services.engine

    def gone(name, pks, vector_fields=()):
        if name == "photos@g1":
            engine.use_generation("photos", "g2")
            engine.drop_generation("photos", "g1")
        return fetch(name, pks, vector_fields)

    engine.fetch = gone
    ((pk, _, place),) = best(services, TextPayload("red"), output_fields=("id", "vector"))
    assert (pk, place) == ("1", 2)


def test_a_table_that_never_rests_is_given_up(services):
    services.embedding.planned = [swap(services, name) for name in ("g2", "g1") * 10]
    with pytest.raises(Moved):
        best(services, TextPayload("red"))
    assert services.embedding.planned


def test_a_generation_that_lacks_the_index_is_told_so(services):
    def smaller():
        spec = services.engine.table("photos")
        services.engine.drop_generation("photos", "g2")
        schema = replace(spec.schema, vector_indexes={})
        built = services.engine.build_generation("photos", replace(spec, schema=schema, fingerprints={}))
        services.engine.use_generation("photos", built)

    services.embedding.planned = [smaller]
    with pytest.raises(RequestError, match="vector"):
        best(services, TextPayload("red"))


def test_explain_asks_about_one_generation(services):
    services.embedding.planned = [swap(services, "g2")]
    plan = SearchPlan("photos", VectorTerm("vector", TextPayload("red"), n=1))
    (told,) = services.searcher.explain(plan, profile=True)
    assert told["profile"]["returned"] == 1
    assert services.embedding.planned == []
