"""A site with tables, rows, users of every role: what the hostile tests attack."""

import base64
import json
import uuid
from contextlib import contextmanager

from colour_model import ColourModel, picture
from support import open_colour_services

from embedding.service import EmbeddingService
from gateway.app import create_app
from gateway.parts import Parts
from gateway.users import hash_password
from havengate.blobs import FolderBlobStore
from havengate.documents import Command
from havengate.services import wire
from havengate.settings import Settings
from ingest.table_administration import open_administration
from schemas.settings import TableSettings
from schemas.templates import template

TOKEN = "the-token-of-the-owner"
PASSWORD = "open sesame"
ROLES = ("read", "write", "admin")
EXTRA = (
    {"field_name": "title", "field_type": "STRING"},
    {"field_name": "price", "field_type": "FLOAT"},
    {"field_name": "labels", "field_type": "STRING", "multi_value": True},
    {"field_name": "tags", "field_type": "MAP"},
)


def users(folder):
    """The settings of a file with a user of every role, and one who may read a single table."""
    found = [{"name": role, "role": role} for role in ROLES]
    found.append({"name": "granted", "role": "none", "tables": {"general": "read"}})
    file = folder / "users.json"
    file.write_text(json.dumps({"users": [user | {"password_hash": hash_password(PASSWORD)} for user in found]}))
    file.chmod(0o600)
    return {"file": file}


def basic(name):
    return "Basic " + base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()


def image(colour, **options):
    return base64.b64encode(picture(colour, **options)).decode()


def fill(services):
    """The tables `general` and `clothes`, which the document's examples name, with three rows each."""
    for name in ("general", "clothes"):
        services.tables.create(name, template("base64", extra_fields=EXTRA), TableSettings())
        rows = [
            {"id": 1, "vector_source_image": image("red"), "cate_id": 1, "title": "tomato", "price": 1.5},
            {"id": 2, "vector_source_image": image("green"), "cate_id": 1, "labels": ["a", "b"]},
            {"id": 3, "vector_source_image": image("blue"), "cate_id": 2, "tags": {"k": "v"}},
        ]
        report = services.documents.push(services.engine.table(name), [Command("add", row) for row in rows])
        assert report.failures == ()


@contextmanager
def open_cluster_app(folder, hosts):
    """The same over an OpenSearch cluster, under a prefix of its own."""
    from engines.opensearch.engine import OpenSearchEngine

    cluster = {"kind": "opensearch", "hosts": hosts, "index_prefix": f"test-{uuid.uuid4().hex[:12]}-", "timeout_s": 60}
    settings = Settings(data_dir=folder, engine=cluster)
    engine = OpenSearchEngine.open(settings.engine)
    embedding = EmbeddingService(settings.embedding, {"builtin": lambda _: ColourModel()})
    services = wire(settings, engine, embedding, FolderBlobStore(folder / "blobs"))
    administration = open_administration(services, "server")
    try:
        fill(services)
        yield create_app(services, Parts(administration=administration, token=TOKEN))
    finally:
        administration.close()
        for name in engine.table_names():
            engine.drop_table(name)
        services.close()


@contextmanager
def open_app(folder, **groups):
    """The whole application over real tables and a model of colours; ``groups`` are settings."""
    services = open_colour_services(Settings(data_dir=folder, **groups), ColourModel())
    administration = open_administration(services, "server")
    try:
        fill(services)
        yield create_app(services, Parts(administration=administration, token=TOKEN))
    finally:
        administration.close()
        services.close()
