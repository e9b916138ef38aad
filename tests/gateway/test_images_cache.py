"""What is read and decoded for thumbnails, and what is not: fewest reads, the newest picture, searches beside it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import pytest
from pictures_site import TEXT_KEY, Site, colour, plain
from support import open_colour_services
from werkzeug.test import Client

from gateway.slots import Slots
from havengate import thumbnails as module
from havengate.errors import Overloaded, SourceAway, SourceError
from havengate.folder_reader import FolderReader
from havengate.thumbnail_queue import Kept, Remembered, Workshop
from havengate.thumbnails import Thumbnails
from schemas.templates import template


class Reading:
    """Readers of one folder that write down what they read, and fail or wait as a test wants."""

    def __init__(self, folder):
        self.paths = []
        self.fault = None
        self.gate = None
        self.began = threading.Event()
        self._folder = FolderReader(folder)

    def reader(self, _):
        return self

    def read(self, path, most):
        self.paths.append(path)
        self.began.set()
        if self.gate:
            assert self.gate.wait(30)
        if self.fault:
            raise self.fault
        return self._folder.read(path, most)


@pytest.fixture
def services(settings, model):
    opened = open_colour_services(settings, model)
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "a.png").write_bytes(plain("red"))
    return tmp_path / "bucket"


@pytest.fixture
def site(services, folder):
    site = Site(services)
    site.create("shop", template("oss", endpoint=folder.as_uri(), extra_fields=[TEXT_KEY]))
    site.push("shop", {"id": "a", "vector_source_image": "a.png"})
    return site


@pytest.fixture
def reading(folder):
    return Reading(folder)


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def thumbnails(site, reading, clock):
    services = site.services
    return Thumbnails(services.engine, services.tables.blobs, reading, services.settings, lambda: clock[0])


@pytest.fixture
def read_site(site, thumbnails):
    """The site with these thumbnails."""
    return replace(site, services=replace(site.services, thumbnails=thumbnails))


@pytest.fixture
def decoded(monkeypatch):
    """Sizes that were made, in order."""
    made, render = [], module.render

    def counted(data, size, limits):
        made.append(size)
        return render(data, size, limits)

    monkeypatch.setattr(module, "render", counted)
    return made


@pytest.fixture
def shown(services, thumbnails):
    """The colour of a row's thumbnail."""

    def show(key="a", size=20):
        picture = thumbnails.find(services.engine.table("shop"), key)
        return colour((thumbnails.kept(picture, size) or thumbnails.make(picture, size)).data)

    return show


def test_a_picture_that_is_what_the_row_was_made_from_is_read_once(shown, reading, decoded, clock):
    assert [shown(), shown()] == ["red", "red"]
    clock[0] += 1e6
    assert shown() == "red"
    assert (len(reading.paths), decoded) == (1, [20])
    assert shown(size=30) == "red"
    assert (len(reading.paths), decoded) == (2, [20, 30])


def test_a_row_that_is_written_anew_shows_its_new_picture_at_once(site, shown, folder):
    assert shown() == "red"
    (folder / "a.png").write_bytes(plain("blue"))
    site.push("shop", {"id": "a", "vector_source_image": "a.png"})
    assert shown() == "blue"
    (folder / "b.png").write_bytes(plain("green"))
    site.push("shop", {"id": "a", "vector_source_image": "b.png"}, cmd="update_field")
    assert shown() == "green"


def test_a_picture_that_the_row_was_not_made_from_is_read_again_after_a_minute(site, shown, folder, reading, clock):
    site.push("shop", {"id": "own", "vector_source_image": "a.png", "vector": [0.0] * 512})
    assert [shown("own"), shown("own")] == ["red", "red"]
    assert len(reading.paths) == 1
    (folder / "a.png").write_bytes(plain("blue"))
    assert shown("own") == "red"
    clock[0] += 60
    assert shown("own") == "blue"
    # The other row's picture was replaced behind its back.
    assert shown("a") == "blue"
    (folder / "a.png").write_bytes(plain("green"))
    clock[0] += 60
    assert shown("a") == "green"


def test_a_path_that_changes_beside_a_pushed_vector_is_another_picture(site, shown, folder):
    (folder / "b.png").write_bytes(plain("green"))
    assert shown() == "red"
    site.push("shop", {"id": "a", "vector_source_image": "b.png", "vector": [0.0] * 512}, cmd="update_field")
    assert shown() == "green"


def test_one_content_is_decoded_once_whatever_rows_have_it(site, shown, folder, decoded):
    (folder / "b.png").write_bytes(plain("red"))
    site.push("shop", {"id": "b", "vector_source_image": "b.png"})
    assert [shown("a"), shown("b")] == ["red", "red"]
    assert decoded == [20]


def test_those_who_ask_at_once_share_one_decoding(shown, reading, decoded):
    reading.gate = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(shown) for _ in range(8)]
        assert reading.began.wait(30)
        reading.gate.set()
        assert {each.result() for each in asked} == {"red"}
    assert (len(reading.paths), decoded) == (1, [20])


def test_what_fails_fails_for_all_who_ask_and_is_tried_again(shown, reading):
    reading.fault = SourceAway("bucket 'shop' does not answer")
    for _ in range(2):
        with pytest.raises(SourceAway):
            shown()
    reading.fault = None
    assert shown() == "red"
    assert len(reading.paths) == 3


@pytest.mark.parametrize(("fault", "status"), [(SourceAway("10.0.0.7"), 503), (SourceError("key 10.0.0.7"), 502)])
def test_a_store_that_is_away_is_told_without_its_words(read_site, reading, fault, status, caplog):
    reading.fault = fault
    answer = read_site.get("/images/shop/a")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, "2" if status == 503 else None)
    assert answer.json == {"code": str(status), "message": "what holds the picture cannot be asked"}
    assert "10.0.0.7" in caplog.text


def test_no_cache_makes_each_anew(site, with_settings, decoded):
    bare = replace(site, services=with_settings(images={"cache_mib": 0}))
    assert [bare.get("/images/shop/a").status_code for _ in range(2)] == [200, 200]
    assert decoded == [160, 160]


def test_thumbnails_are_counted_by_whether_they_were_kept(site):
    for _ in range(3):
        site.get("/images/shop/a")
    text = site.get("/metrics").text
    assert 'havengate_thumbnails_total{cache="miss"} 1.0' in text
    assert 'havengate_thumbnails_total{cache="hit"} 2.0' in text


def test_the_cache_keeps_what_was_asked_for_last_within_its_bytes():
    kept = Kept(4 * 1512)
    for name in "abcd":
        kept.put(name, name.upper(), 1000)
    assert kept.get("a") == "A"
    kept.put("e", "E", 1000)
    assert [name for name in "abcde" if kept.get(name)] == ["a", "c", "d", "e"]
    kept.put("large", "L", 4 * 1512)
    kept.put("f", "F", 2 * 1512)
    assert [name for name in ("a", "c", "d", "e", "f", "large") if kept.get(name)] == ["e", "f"]


def test_contents_are_remembered_for_so_many_places(clock):
    remembered = Remembered(lambda: clock[0], most=3)
    for place in (b"1", b"2", b"3", b"4"):
        remembered.put(place, place.decode(), None)
    assert [remembered.get(place) for place in (b"1", b"2", b"3", b"4")] == [None, "2", "3", "4"]


@contextmanager
def busy(workshop, *names):
    """While somebody makes each of these."""
    begun, gate = [threading.Event() for _ in names], threading.Event()

    def make(event):
        event.set()
        return gate.wait(30)

    with ThreadPoolExecutor(len(names)) as pool:
        made = [pool.submit(workshop.shared, n, partial(make, e)) for n, e in zip(names, begun, strict=True)]
        assert all(event.wait(30) for event in begun)
        try:
            yield
        finally:
            gate.set()
        assert all(each.result() for each in made)


def test_a_crowd_is_told_to_come_again_at_once():
    workshop = Workshop(most=2, wait_s=30)
    with busy(workshop, "a", "b"), pytest.raises(Overloaded, match="too many pictures"):
        workshop.shared("c", lambda: True)
    assert workshop.shared("c", lambda: "made")


def take_all(turn):
    with ExitStack() as taken:
        for _ in range(1000):
            taken.enter_context(turn())


def test_nobody_waits_for_ever():
    workshop = Workshop(most=9, wait_s=0.01)
    with busy(workshop, "a"), pytest.raises(Overloaded):
        workshop.shared("a", lambda: True)
    for turn in (workshop.working, workshop.decoding):
        with pytest.raises(Overloaded):
            take_all(turn)
        with turn():
            pass


def test_searches_go_on_while_pictures_are_waited_for(read_site, reading):
    reading.gate = threading.Event()
    client = Client(Slots(read_site.app, 1))
    with ThreadPoolExecutor(1) as pool:
        picture = pool.submit(client.get, "/images/shop/a")
        assert reading.began.wait(30)
        found = client.post("/vector-service/fetch", json={"tableName": "shop", "ids": ["a"]})
        assert not picture.done()
        reading.gate.set()
        assert picture.result().status_code == 200
    assert found.json["totalCount"] == 1
