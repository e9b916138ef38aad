"""kill -9 of a rebuild and of its swap, while others write and search: the end is that of a run without kills."""

import itertools
import json
import os
import random
import select
import signal
import subprocess
import sys
import uuid
from collections import defaultdict

import pytest
import rebuild_child
from colour_model import COLOURS
from rebuild_places import model_schema
from support import photo_row

from engines.opensearch.engine import OpenSearchEngine
from havengate.setting_groups import EngineSettings
from havengate.settings import Settings

ROWS = 400
MODELS = ("clip", "builtin")
MANY = (pytest.mark.long, pytest.mark.timeout(3600))


@pytest.fixture(params=["embedded", "opensearch"])
def cluster(request):
    """What the child needs to know of an engine: nothing, or the cluster's URL and the prefix of its indexes."""
    if request.param == "embedded":
        yield ()
        return
    found = (request.getfixturevalue("opensearch_url"), f"test-{uuid.uuid4().hex[:12]}-")
    yield found
    settings = EngineSettings(kind="opensearch", hosts=found[0], index_prefix=found[1], timeout_s=60)
    engine = OpenSearchEngine.open(settings)
    for name in engine.table_names():
        engine.drop_table(name)
    engine.close()


@pytest.fixture
def folder(tmp_path, cluster):
    """A data folder with a table of 403 rows, of which three are red."""
    with rebuild_child.open_place(Settings(data_dir=tmp_path / "data"), *cluster) as place:
        place.create()
        fill(place)
    return tmp_path


def fill(place):
    place.push(*(photo_row(key, "red", title="red") for key in range(3)))
    for start in range(1000, 1000 + ROWS, 50):
        place.push(*(photo_row(key, *before(key)[:1], title=before(key)[1]) for key in range(start, start + 50)))


def child(folder, cluster, model, seed, kill_at=None):
    """Runs the child, kills it where ``kill_at`` says so; returns its last line, None of one that was killed."""
    process = subprocess.Popen(
        [sys.executable, rebuild_child.__file__, str(folder / "data"), model, str(seed), *cluster],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
        bufsize=1,
    )
    last = ""
    try:
        for number, line in enumerate(process.stdout):
            assert not line.startswith("wrong"), line
            last = line.strip()
            if kill_at is not None and kill_at(number, last):
                process.send_signal(signal.SIGKILL)
                rest = process.stdout.read()
                assert "wrong" not in rest, rest
                return None
        return last
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def possible_rows(folder):
    """By key, what a row may be after all that was written: an operation without an answer may have been done."""
    rows = defaultdict(lambda: [None])
    lines = [json.loads(line) for line in (folder / "written").read_text().splitlines()]
    for line, answer in zip(lines, [*lines[1:], "none"], strict=True):
        if isinstance(line, str) or answer == "not":
            continue
        done = [after(line, before) for before in rows[line["id"]]]
        rows[line["id"]] = done if answer == "ack" else [*rows[line["id"]], *done]
    return rows


def after(line, before):
    if line["cmd"] == "delete" or (line["cmd"] == "update_field" and before is None):
        return None
    return (line["colour"] if line["cmd"] == "add" else before[0], line["title"])


def check(folder, cluster, model):
    """The table is whole: every acknowledged write is in it, every vector is the one model's of the row's picture."""
    with rebuild_child.open_place(Settings(data_dir=folder / "data"), *cluster) as place:
        spec = place.services.engine.table("photos")
        assert spec.vendor_schema == model_schema(model)
        content, expected = place.content(), possible_rows(folder)
        assert {int(pk) for pk in content} - {*rebuild_child.KEYS} == {*range(3), *range(1000, 1000 + ROWS)}
        vectors = {name: place.models[model].embed_texts([name])[0].tolist() for name in COLOURS}
        for key in (*rebuild_child.KEYS, *map(int, content)):
            fields, made, _ = content.get(str(key), (None, None, None))
            rows = expected[key] if key in rebuild_child.KEYS else [before(key)]
            # What the writer did last is there, and not what came before; the vector is the picture's.
            assert any(
                row is None
                if fields is None
                else row is not None
                and row[1] == fields["title"]
                and made["vector"] == pytest.approx(vectors[row[0]], abs=1e-4)
                for row in rows
            ), (key, fields, rows)
        assert not any(each.building for each in place.services.engine.generations("photos"))


def before(key):
    """The rows that nobody writes."""
    if key < 3:
        return ("red", "red")
    return (rebuild_child.WRITTEN[key % len(rebuild_child.WRITTEN)], f"old {key}")


def test_it_ends_without_a_kill(folder, cluster):
    assert child(folder, cluster, "clip", 1).startswith("done done")
    check(folder, cluster, "clip")


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=MANY)])
def test_a_rebuild_that_is_killed_goes_on(folder, cluster, kills):
    """At random places; one that came to its end is followed by one back to the other model."""
    draw, attempts, models = random.Random(kills), itertools.count(), itertools.cycle(MODELS)
    model, killed = next(models), 0
    while killed < kills:
        steps = draw.randrange(2, 25)
        if child(folder, cluster, model, next(attempts), lambda number, _, steps=steps: number >= steps):
            check(folder, cluster, model)
            model = next(models)
        else:
            killed += 1
    done = child(folder, cluster, model, next(attempts))
    assert done.startswith("done done"), done
    check(folder, cluster, model)


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=MANY)])
def test_a_swap_that_is_killed_leaves_one_generation_or_the_other(folder, cluster, kills):
    """A cluster holds the table for a minute after it, and the next attempt waits."""
    draw = random.Random(kills)
    for turn, way in zip(range(kills), itertools.cycle(("clip", "rollback")), strict=False):
        pause = draw.random() * 0.04

        def swapping(_, line, pause=pause):
            return line.startswith("at swap") and select.select([], [], [], pause) is not None

        assert child(folder, cluster, way, 1000 + turn, swapping) is None
        done = child(folder, cluster, way, 2000 + turn)
        assert done.startswith("done done"), done
        check(folder, cluster, "builtin" if way == "rollback" else way)
