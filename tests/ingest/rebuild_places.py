"""A table of colours, models of two spaces, and what tests of rebuilds do with them."""

from dataclasses import dataclass

import numpy as np
from colour_model import ColourModel
from support import EXTRA_FIELDS, photo_row

from embedding.service import EmbeddingService
from engines.embedded.engine import EmbeddedEngine
from havengate.blobs import FolderBlobStore
from havengate.documents import Command
from havengate.services import wire
from ingest.history_store import HistoryStore
from ingest.jobs.runner import run_job
from ingest.jobs.store import JobStore
from ingest.rebuild.decide import Wanted
from ingest.rebuild.request import Rebuild, ask_rebuild, ask_rollback
from schemas.settings import TableSettings
from schemas.templates import template

BY = "cli:tester"


class Turned(ColourModel):
    """The same colours in other dimensions: its vectors are none of a ColourModel's."""

    def __init__(self, space="colour-2"):
        super().__init__(space)

    def embed_pictures(self, pixels):
        return np.ascontiguousarray(np.roll(super().embed_pictures(pixels), 7, axis=1))

    def embed_texts(self, texts):
        return np.ascontiguousarray(np.roll(super().embed_texts(texts), 7, axis=1))


@dataclass
class Place:
    """A data folder with its services, jobs and history, as a process has them open."""

    settings: object
    models: dict
    engine: object = None
    services: object = None
    store: object = None
    changes: object = None
    show: object = lambda _: None

    def __post_init__(self):
        engine = self.engine or EmbeddedEngine.open(self.settings.data_dir)
        embedding = EmbeddingService(self.settings.embedding, {n: lambda _, m=m: m for n, m in self.models.items()})
        self.services = wire(self.settings, engine, embedding, FolderBlobStore(self.settings.data_dir / "blobs"))
        self.store = JobStore(self.settings.data_dir)
        self.changes = HistoryStore(self.settings.data_dir)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.changes.close()
        self.store.close()
        self.services.close()

    def create(self, name="photos", **parts):
        parts = {"extra_fields": EXTRA_FIELDS, **parts}
        settings = parts.pop("settings", TableSettings())
        self.services.tables.create(name, template("base64", **parts), settings)

    def push(self, *rows, table="photos", cmd="add"):
        spec = self.services.engine.table(table)
        for start in range(0, len(rows), 50):
            report = self.services.documents.push(spec, [Command(cmd, row) for row in rows[start : start + 50]])
            assert report.failures == ()

    def rebuild(self, table="photos", *, schema=None, settings=(), source="", **limits):
        wanted = Wanted(schema, settings, source)
        job = ask_rebuild(self.services, self.store, table, Rebuild(wanted, **limits), BY)
        return self.run(job)

    def rollback(self, table="photos", generation=None, **options):
        return self.run(ask_rollback(self.services, self.store, table, generation, BY, **options))

    def run(self, job):
        return run_job(self.services, self.changes, self.store, job.id, show=self.show)

    def generations(self, table="photos"):
        return [(each.name, each.rows, each.current) for each in self.services.engine.generations(table)]

    def content(self, address="photos"):
        """Every row with its vectors and sources, comparable."""
        rows, after = {}, None
        while page := self.services.engine.scan(address, after, 100):
            after = page[-1].pk
            rows |= {row.pk: shown(row) for row in page}
        return rows


def shown(row):
    vectors = {name: [round(float(n), 5) for n in vector] for name, vector in row.vectors.items()}
    return dict(row.fields), vectors, dict(row.sources)


def model_schema(model):
    return template("base64", extra_fields=EXTRA_FIELDS, model=model).to_json()


def changed_schema(*fields):
    return template("base64", extra_fields=fields).to_json()


def colour_row(key, colour, **fields):
    return photo_row(key, colour, cate_id=1, **fields)


def reopened(place, **models):
    """The same data folder in another process's hands."""
    place.close()
    return Place(place.settings, models)


def once_at(act, *phases):
    """Something to do when a job first comes to each of these phases."""
    left = list(phases)

    def show(job):
        if job.phase in left:
            left.remove(job.phase)
            act(job.phase)

    return show
