"""kill -9 in the middle of an ingest, again and again: in the end everything is as if nobody had been killed."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from colour_model import picture
from killable_ingest import TABLE, place

from engines.opensearch.engine import OpenSearchEngine
from havengate.setting_groups import EngineSettings
from ingest.history_store import HistoryStore

HERE = Path(__file__).parent


def write_rows(folder, count, chance):
    """A file of rows whose pictures are beside it; about one in fifteen is bad in some way."""
    folder.mkdir()
    lines = []
    for number in range(count):
        name = f"{number}.png"
        (folder / name).write_bytes(picture(tuple(chance.randrange(256) for _ in range(3))))
        lines.append({"id": number, "title": f"row {number}", "vector_source_image": name})
    for number in range(5, count, 15):
        lines[number] |= chance.choice(
            ({"id": number - 3}, {"vector_source_image": "gone.png"}, {"id": "no number"}, {"nope": 1})
        )
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "not JSON\n")
    return folder / "rows.jsonl"


def start(data_dir, source, engine):
    return subprocess.Popen(
        [sys.executable, HERE / "killable_ingest.py", data_dir, source, *engine],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE.parent.parent)])},
        stdout=subprocess.PIPE,
        text=True,
    )


def run_killed(data_dir, source, engine, kills, chance):
    """Kills it so many times, soon after some batch or before the first, and lets it end then; where each began."""
    found = []
    for _ in range(kills):
        child = start(data_dir, source, engine)
        said = [child.stdout.readline() for _ in range(chance.randrange(1, 8))]
        found.append(int(said[0]))
        time.sleep(chance.uniform(0, 0.05))
        child.kill()
        assert "done" not in child.communicate()[0], "it ended before it was killed"
    child = start(data_dir, source, engine)
    said = child.communicate(timeout=240)[0].splitlines()
    assert json.loads(said[-1]) == {"state": "done", "attempts": kills + 1}
    return [*found, int(said[0])]


def content(data_dir, engine):
    """All that an ingest leaves: rows with vectors and sources, the job's counts and rejects, pictures, history."""
    with place(data_dir, *engine) as (services, store):
        rows, after = {}, None
        while part := services.engine.scan(TABLE, after, 500):
            after = part[-1].pk
            vectors = {row.pk: {name: vector.tolist() for name, vector in row.vectors.items()} for row in part}
            rows |= {row.pk: (dict(row.fields), vectors[row.pk], dict(row.sources)) for row in part}
        (job,) = store.jobs()
        rejects = [(each.place, each.pk, each.reason) for each in store.rejects(job.id, limit=-1)]
    pictures = {file.name for file in (data_dir / "blobs").rglob("*") if file.is_file() and file.name[0] != "."}
    history = HistoryStore(data_dir)
    entries = [(e.what, e.state, e.read, e.written, e.rejected) for e in history.entries() if e.what == "ingest"]
    history.close()
    return {
        "rows": rows,
        "counts": job.counts,
        "done": job.done,
        "rejects": rejects,
        "pictures": pictures,
        "history": entries,
    }


def check(folder, engine, rows, kills, seed):
    """``engine`` gives the child's further arguments for a run's name."""
    chance = random.Random(seed)
    source = write_rows(folder / "rows", rows, chance)
    run_killed(folder / "whole", source, engine("whole"), 0, chance)
    found = run_killed(folder / "killed", source, engine("killed"), kills, chance)
    assert found == sorted(found)
    whole, killed = content(folder / "whole", engine("whole")), content(folder / "killed", engine("killed"))
    assert whole["counts"].read == rows + 1
    assert whole["counts"].written == len(whole["rows"])
    assert len(whole["rejects"]) == whole["counts"].rejected == rows + 1 - len(whole["rows"])
    assert killed == whole
    return found


def embedded(_):
    return ()


@pytest.fixture
def opensearch(opensearch_url):
    prefix = f"test-kills-{os.getpid()}-"
    yield lambda name: (opensearch_url, f"{prefix}{name}-")
    for name in ("whole", "killed"):
        with OpenSearchEngine.open(EngineSettings(hosts=opensearch_url, index_prefix=f"{prefix}{name}-")) as engine:
            for table in engine.table_names():
                engine.drop_table(table)


def test_three_kills(tmp_path):
    found = check(tmp_path, embedded, rows=300, kills=3, seed=1)
    assert found[-1] > 0


def test_two_kills_on_opensearch(tmp_path, opensearch):
    check(tmp_path, opensearch, rows=300, kills=2, seed=2)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_twenty_kills(tmp_path):
    check(tmp_path, embedded, rows=2000, kills=20, seed=3)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_twenty_kills_on_opensearch(tmp_path, opensearch):
    check(tmp_path, opensearch, rows=2000, kills=20, seed=4)
