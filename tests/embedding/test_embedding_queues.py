"""Calls that wait for a model: how many may, for how long, and who gives up a place."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fake_model import FakeModel, colour_vector, picture, text_vector

from havengate.errors import Overloaded, PictureError


@pytest.fixture
def held(make_service, fake):
    """A service with one text running and none let go, and one more place to wait in."""

    def hold(**settings):
        service = make_service(lambda _: fake, batch=1, queue=1, **settings)
        service.warm_up(["fake"])
        fake.started.clear()
        fake.go.clear()
        pool = ThreadPoolExecutor(4)
        running = pool.submit(service.embed_text, "fake", "running")
        assert fake.started.wait(30)
        return service, pool, running

    yield hold
    fake.go.set()


def test_texts_beyond_the_queue_are_turned_away_while_pictures_go_on(held, fake):
    service, pool, running = held()
    waiting = pool.submit(service.embed_text, "fake", "waiting")
    queue = service._slots["fake"].runner._texts._queue
    while not queue:
        threading.Event().wait(0.001)
    with pytest.raises(Overloaded):
        service.embed_text("fake", "too many")
    assert service.embed_pictures("fake", [picture((1, 2, 3))]).shape == (1, 4)
    fake.go.set()
    assert running.result(30) is not None
    assert np.array_equal(waiting.result(30), text_vector("waiting"))
    assert np.array_equal(service.embed_text("fake", "too many"), text_vector("too many"))
    pool.shutdown()


def test_who_waits_too_long_is_told_so_and_gives_the_place_back(held, fake):
    service, pool, running = held(timeout_s=0.2)
    with pytest.raises(Overloaded, match=r"no vector in 0\.2 s"):
        service.embed_text("fake", "patient")
    with pytest.raises(Overloaded, match=r"no vector in 0\.2 s"):
        service.embed_text("fake", "also patient")
    with pytest.raises(Overloaded):
        running.result(30)
    fake.go.set()
    pool.shutdown()
    assert np.array_equal(service.embed_text("fake", "later"), text_vector("later"))
    assert ["patient"] not in fake.text_batches


def test_many_pictures_of_one_caller_fit_a_short_queue(make_service, fake):
    service = make_service(lambda _: fake, batch=4, queue=2)
    colours = [(n, 2 * n, 200 - n) for n in range(1, 41)]
    vectors = service.embed_pictures("fake", [picture(colour) for colour in colours])
    assert np.array_equal(vectors, [colour_vector(colour) for colour in colours])


def test_a_caller_that_fails_takes_its_pictures_out_of_the_queue(make_service):
    class Slow(FakeModel):
        def embed_pictures(self, pixels):
            self.started.set()
            assert self.go.wait(30)
            return super().embed_pictures(pixels)

    model = Slow()
    service = make_service(lambda _: model, batch=4)
    service.warm_up(["fake"])
    model.started.clear()
    model.go.clear()
    pixels = model.prepare(picture((1, 2, 3)))

    def broken():
        yield pixels
        assert model.started.wait(30)
        yield pixels
        raise PictureError("the third is broken")

    with pytest.raises(PictureError):
        service.embed_pixels("fake", broken())
    model.go.set()
    service.embed_pixels("fake", [pixels])
    assert model.picture_batches == [1, 1, 1]
