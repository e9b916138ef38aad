"""Slots: who works takes one, who waits for a client and who only asks for a sign of life does not."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.slots import PROBES, Slots, without_slot


class Site:
    """Works on "/" until it is let go; everything else is done at once, /read after its body."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, environ, _start_response):
        if environ["PATH_INFO"] == "/":
            self.begun.release()
            self.go.wait()
        if environ["PATH_INFO"] == "/read":
            return [environ["wsgi.input"].read(3)]
        if environ["PATH_INFO"] == "/aside":
            with without_slot(environ):
                self.begun.release()
                self.go.wait()
        return [b""]


class SlowBody:
    def __init__(self, site):
        self._site = site

    def read(self, size):
        self._site.begun.release()
        self._site.go.wait()
        return b"x" * size


@pytest.fixture
def site():
    site = Site()
    yield site
    site.go.set()


@pytest.fixture
def threads(site):
    with ThreadPoolExecutor(4) as pool:
        yield pool
        site.go.set()


def call(slots, path, body=None):
    return slots({"PATH_INFO": path, "wsgi.input": body}, None)


def test_one_more_request_than_slots_waits(site, threads):
    slots = Slots(site, 2)
    calls = [threads.submit(call, slots, "/") for _ in range(3)]
    assert site.begun.acquire()
    assert site.begun.acquire()
    assert not site.begun.acquire(timeout=0.2)
    site.go.set()
    assert [each.result() for each in calls] == [[b""]] * 3


@pytest.mark.parametrize("path", sorted(PROBES))
def test_a_probe_needs_no_slot(site, threads, path):
    slots = Slots(site, 1)
    threads.submit(call, slots, "/")
    assert site.begun.acquire()
    assert threads.submit(call, slots, path).result(timeout=10) == [b""]


@pytest.mark.parametrize("path", ["/read", "/aside"])
def test_who_waits_gives_the_slot_to_others(site, threads, path):
    slots = Slots(site, 1)
    waiting = threads.submit(call, slots, path, SlowBody(site))
    assert site.begun.acquire()
    assert threads.submit(call, slots, "/other").result(timeout=10) == [b""]
    site.go.set()
    assert waiting.result() == [b"xxx" if path == "/read" else b""]
