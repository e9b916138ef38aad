"""Pictures made to hurt, through a real server: the same verdict by every way in, bounded memory, no other program."""

import base64
import io
import json
import os
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from live_server import MIB, serving
from PIL import Image
from torture_pictures import REFUSED, USABLE, cut

pytestmark = pytest.mark.timeout(280)
MOST_MEMORY = 1024 * MIB
"""Over what the server holds anyway: 50 million pixels of 4 bytes, five times (what WebP's decoder needs)."""
LONGEST_LINE, LONGEST_QUERY = 6 * MIB, 8 * MIB
_keys = count(1)


@pytest.fixture(scope="module")
def traps(tmp_path_factory):
    """Programs that Pillow and others start for such files, each of which would tell that it ran."""
    folder = tmp_path_factory.mktemp("traps")
    for name in ("gs", "gswin64c", "convert", "magick", "djpeg", "inkscape", "rsvg-convert"):
        trap = folder / name
        trap.write_text(f"#!/bin/sh\ntouch {folder}/sprung\n")
        trap.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def live(tmp_path_factory, traps):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(traps), prepend=os.pathsep)
        with serving(tmp_path_factory.mktemp("torture") / "data") as server:
            yield server


def push(live, data):
    """(its key, what is wrong with it)."""
    key = next(_keys)
    row = {"id": key, "vector_source_image": base64.b64encode(data).decode()}
    answer = live.json("POST", "/update/photos/actions/bulk", [{"cmd": "add", "fields": row}])
    return key, [error["message"] for error in answer["errors"]]


def search(live, data):
    """What is wrong, by POST and by GET, each where it takes as much."""
    text = base64.urlsafe_b64encode(data).decode()
    text = f"query=vector:'{text}&modal=image&n=1'&&config=format:json&&cluster=photos"
    answers = [live.json("POST", "/query", {"assemblyQuery": text})] if len(text) < LONGEST_QUERY else []
    line = f"/query?query={urllib.parse.quote(text, safe='')}"
    if len(line) < LONGEST_LINE - 100:
        answers.append(live.json("GET", line))
    return [[error["message"] for error in answer["errors"]] for answer in answers]


def shown(live, key):
    status, kind, data = live.send("GET", f"/images/photos/{key}?size=160")
    return status, kind if status == 200 else json.loads(data)["code"]


@pytest.fixture
def bounded(live):
    live.forget_peak()
    before = live.resident()
    yield
    assert live.resident(peak=True) - before < MOST_MEMORY


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_is_refused_everywhere(live, name):
    data = REFUSED[name]()
    key, wrong = push(live, data)
    assert wrong, "it was taken"
    assert "picture" in wrong[0]
    assert len(wrong[0]) < 400
    for said in search(live, data):
        assert said
        assert "picture" in said[0]
    assert shown(live, key) == (404, "404")


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("name", USABLE)
def test_what_is_unusual_and_right_is_found_and_shown(live, name):
    data = USABLE[name]()
    key, wrong = push(live, data)
    assert wrong == []
    assert all(said == [] for said in search(live, data))
    status, kind = shown(live, key)
    assert (status, kind.partition("/")[0]) == (200, "image")


@pytest.mark.usefixtures("bounded")
def test_pictures_that_end_anywhere_are_refused_or_shown_whole(live):
    for name, data in cut():
        key, wrong = push(live, data)
        by_post, *by_get = search(live, data)
        assert bool(by_post) == bool(wrong), name
        assert by_get == [by_post]
        assert shown(live, key)[0] == (404 if wrong else 200), name


def test_what_large_pictures_took_is_given_back(live):
    out = io.BytesIO()
    Image.new("RGBA", (5000, 2500), (200, 0, 0, 100)).save(out, "PNG")
    key, wrong = push(live, out.getvalue())
    assert wrong == []
    before = live.resident()
    with ThreadPoolExecutor(8) as clients:
        paths = [f"/images/photos/{key}?size={size}" for size in range(100, 132)]
        answers = list(clients.map(lambda path: live.send("GET", path)[0], paths))
    assert 200 in answers
    assert {*answers} <= {200, 503}
    # One such picture takes 100 MiB while it is made small.
    assert live.resident() - before < 100 * MIB


@pytest.mark.usefixtures("live")
def test_no_other_program_was_started(traps):
    assert not (traps / "sprung").exists()


def test_the_server_serves_on(live):
    assert live.json("GET", "/readyz")["status"] == "OK"
    assert live.resident() < 1500 * MIB
