import base64
from dataclasses import replace

import pytest
from colour_model import ColourModel, picture

from embedding.service import EmbeddingService
from engines.embedded.engine import EmbeddedEngine
from havengate.blobs import FolderBlobStore
from havengate.documents import Command, Documents
from havengate.search import Searcher
from havengate.services import Services
from havengate.settings import Settings
from havengate.tables import Tables
from schemas.settings import TableSettings
from schemas.templates import template


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    import os

    for name in os.environ:
        if name.startswith("HAVENGATE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def model():
    return ColourModel()


def open_colour_services(settings, model):
    """Services as an entry point opens them, but for the model."""
    engine = EmbeddedEngine.open(settings.data_dir)
    embedding = EmbeddingService(settings.embedding, {"builtin": lambda _: model})
    blobs = FolderBlobStore(settings.data_dir / "blobs")
    return Services(
        settings=settings,
        engine=engine,
        embedding=embedding,
        tables=Tables(engine, embedding, blobs, settings.default_table),
        searcher=Searcher(engine, embedding, blobs, settings.limits),
        documents=Documents(engine, embedding, blobs, settings),
    )


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def services(settings, model):
    opened = open_colour_services(settings, model)
    yield opened
    opened.close()


EXTRA_FIELDS = (
    {"field_name": "title", "field_type": "STRING"},
    {"field_name": "price", "field_type": "FLOAT"},
    {"field_name": "labels", "field_type": "STRING", "multi_value": True},
    {"field_name": "tags", "field_type": "MAP"},
)


def photo_row(key, colour, **fields):
    """A row of the table `photos` with a picture of one colour."""
    return {"id": key, "vector_source_image": base64.b64encode(picture(colour)).decode(), **fields}


@pytest.fixture
def photos(services):
    """A Base64 table with three rows: red (1), green (2), blue (3)."""
    services.tables.create("photos", template("base64", extra_fields=EXTRA_FIELDS), TableSettings())
    rows = [
        photo_row(1, "red", cate_id=1, title="tomato", price=1.5, labels=["hot", "round"], tags={"colour": "red"}),
        photo_row(2, "green", cate_id=1, title="leaf", price=2.5, labels=["flat"]),
        photo_row(3, "blue", cate_id=2, title="sea"),
    ]
    report = services.documents.push(services.engine.table("photos"), [Command("add", row) for row in rows])
    assert report.failures == ()
    return services.engine.table("photos")


@pytest.fixture
def with_settings(services):
    """The same services under changed settings, by group: with_settings(push={"max_pictures": 2})."""

    def change(**groups):
        groups = {name: getattr(services.settings, name).model_copy(update=update) for name, update in groups.items()}
        settings = services.settings.model_copy(update=groups)
        return replace(
            services,
            settings=settings,
            searcher=Searcher(services.engine, services.embedding, services.tables.blobs, settings.limits),
            documents=Documents(services.engine, services.embedding, services.tables.blobs, settings),
        )

    return change
