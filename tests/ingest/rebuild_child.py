"""A process that rebuilds a table, or takes it back, while others write and search it, to be killed at any moment.

    python rebuild_child.py DATA_DIR MODEL|rollback SEED [URL PREFIX]

It prints a line for each look at the job, `done` and the job's message at its end, and `wrong ...` for an answer that
no search may give. What its writer does is appended to the file `written` beside the data folder: an operation before
it is begun, `ack` when it was acknowledged, `not` when it was refused whole.
"""

import itertools
import json
import os
import random
import sys
import threading
import time
from pathlib import Path

import numpy as np
from colour_model import COLOURS, ColourModel
from rebuild_places import Place, Turned, model_schema
from support import photo_row

from havengate.documents import Command
from havengate.errors import HavengateError
from havengate.settings import Settings
from havengate.types import SearchPlan, TextPayload, VectorTerm

TABLE = "photos"
WRITTEN = [colour for colour in COLOURS if colour not in ("red", "红")]
KEYS = range(100, 140)
SPACES = {"builtin": {0, 1, 2}, "clip": {7, 8, 9}}
"""Where in a vector a model's numbers are."""


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class Writer(threading.Thread):
    def __init__(self, place, log, seed, ended):
        super().__init__(daemon=True)
        self.place, self.ended, self.draw = place, ended, random.Random(seed)
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def run(self):
        for number in itertools.count():
            if self.ended.is_set():
                return
            key, colour = self.draw.choice(KEYS), self.draw.choice(WRITTEN)
            kind = self.draw.choice(("add", "add", "update_field", "delete"))
            title = f"{colour} {number}"
            self.note({"cmd": kind, "id": key, "colour": colour, "title": title})
            fields = {"id": key}
            if kind == "add":
                fields = photo_row(key, colour, title=title)
            elif kind == "update_field":
                fields |= {"title": title}
            spec = self.place.services.engine.table(TABLE)
            report = self.place.services.documents.push(spec, [Command(kind, fields)])
            refused = [failure for failure in report.failures if "no row" not in failure.message]
            if any(not failure.passing for failure in refused):
                say("wrong push", refused)
            self.note("not" if refused else "ack")

    def note(self, what):
        os.write(self.log, (json.dumps(what) + "\n").encode())


class Looker(threading.Thread):
    """Searches by a text: the three red rows are nearest, of distance 0, and all vectors of one answer of one space.

    Nobody writes them, so that their fields and vectors are of one moment whenever they are read.
    """

    def __init__(self, place, ended):
        super().__init__(daemon=True)
        self.place, self.ended = place, ended

    def run(self):
        plan = SearchPlan(TABLE, VectorTerm("vector", TextPayload("red"), n=3), output_fields=("title", "vector"))
        while not self.ended.is_set():
            try:
                found = self.place.services.searcher.search(plan)
            except HavengateError as error:
                say("wrong search", type(error).__name__, error.message)
                continue
            spaces = {self.space(hit.vectors["vector"]) for hit in found.hits}
            nearest = [(hit.fields["title"], round(hit.score, 4)) for hit in found.hits]
            if len(spaces) != 1 or nearest != [("red", 0.0)] * 3:
                say("wrong answer", spaces, nearest)

    def space(self, vector):
        return next(name for name, places in SPACES.items() if set(np.flatnonzero(vector).tolist()) <= places)


def open_place(settings, url="", prefix=""):
    engine = None
    if url:
        from engines.opensearch.engine import OpenSearchEngine

        opensearch = settings.engine.model_copy(update={"kind": "opensearch", "hosts": url, "index_prefix": prefix})
        engine = OpenSearchEngine.open(opensearch)
    return Place(settings, {"builtin": ColourModel(), "clip": Turned()}, engine)


def changed(place, way):
    """The job that rebuilds the table with a model, or takes it back; of a table that is there already, the last."""
    spec = place.services.engine.table(TABLE)
    begun = place.store.unfinished("rollback", TABLE, {})
    if way == "rollback" and not begun and spec.vendor_schema == model_schema("builtin"):
        return place.store.jobs(TABLE)[0]
    return place.rollback() if way == "rollback" else place.rebuild(schema=model_schema(way))


def main(data_dir, way, seed, *cluster):
    place = open_place(Settings(data_dir=Path(data_dir)), *cluster)
    ended = threading.Event()
    others = [Writer(place, Path(data_dir).parent / "written", seed, ended), Looker(place, ended)]
    for other in others:
        other.start()
    place.show = lambda job: say("at", job.phase, job.done)
    job = changed(place, way)
    while job.state == "queued":
        # A cluster lets go of what a killed swap held after a minute.
        ended.wait(max(0.0, job.not_before - time.time()))
        job = place.run(job)
    ended.set()
    for other in others:
        other.join()
    place.close()
    say("done", job.state, job.message)


if __name__ == "__main__":
    main(*sys.argv[1:])
