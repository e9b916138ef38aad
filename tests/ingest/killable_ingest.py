"""One ingest in the foreground with the colour model, to be killed: DATA_DIR SOURCE [URL PREFIX].

Says how many rows it has read whenever that is on record, and what became of the job.
"""

import json
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from colour_model import ColourModel

from embedding.service import EmbeddingService
from havengate.blobs import FolderBlobStore
from havengate.services import wire
from havengate.setting_groups import EngineSettings
from havengate.settings import Settings
from ingest.history_store import open_history
from ingest.ingest_job import job_for
from ingest.jobs.runner import run_job
from ingest.jobs.store import JobStore
from schemas.settings import TableSettings
from schemas.templates import template

TABLE = "photos"


class SlowModel(ColourModel):
    """So slow that an ingest can be killed in its middle."""

    def embed_pictures(self, pixels):
        time.sleep(0.002 * len(pixels))
        return super().embed_pictures(pixels)


@contextmanager
def place(data_dir, url=None, prefix=""):
    """Services and the job table of a data folder, in whose engine there is a table for these rows."""
    kind = {"kind": "opensearch", "hosts": url, "index_prefix": prefix, "timeout_s": 60} if url else {}
    settings = Settings(data_dir=data_dir, engine=EngineSettings(**kind))
    embedding = EmbeddingService(settings.embedding, {"builtin": lambda _: SlowModel()})
    services = wire(settings, open_engine(settings), embedding, FolderBlobStore(data_dir / "blobs"))
    store = JobStore(data_dir)
    try:
        if TABLE not in services.tables.names():
            title = {"field_name": "title", "field_type": "STRING"}
            services.tables.create(TABLE, template("base64", extra_fields=(title,)), TableSettings())
        yield services, store
    finally:
        store.close()
        services.close()


def open_engine(settings):
    if settings.engine.kind == "embedded":
        from engines.embedded.engine import EmbeddedEngine

        return EmbeddedEngine.open(settings.data_dir)
    from engines.opensearch.engine import OpenSearchEngine

    return OpenSearchEngine.open(settings.engine)


def main(data_dir, source, *engine):
    with place(Path(data_dir), *engine) as (services, store):
        changes = open_history(services.settings, services.engine)
        job = job_for(services, changes, store, TABLE, source, by="me")
        job = run_job(services, changes, store, job.id, show=lambda each: print(each.counts.read, flush=True))
        changes.close()
    print(json.dumps({"state": job.state, "attempts": job.attempts}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
