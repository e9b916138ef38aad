import os
import shutil
import signal

import pytest
from colour_model import ColourModel
from opensearch_server.fixture import opensearch_cluster, opensearch_url  # noqa: F401  fixtures of all rooms
from store_double import moto_server, names_in_test, store  # noqa: F401  fixtures of several rooms
from support import EXTRA_FIELDS, open_colour_services, photo_row, run_cli

from havengate.demo.process import gateway
from havengate.documents import Command
from havengate.services import wire
from havengate.settings import Settings
from schemas.settings import TableSettings
from schemas.templates import template


def pytest_configure():
    """Who runs the tests in the background may ignore Ctrl-C, and whatever they start would, too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in os.environ:
        if name.startswith("HAVENGATE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def model():
    return ColourModel()


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def services(settings, model):
    opened = open_colour_services(settings, model)
    yield opened
    opened.close()


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
        return wire(settings, services.engine, services.embedding, services.tables.blobs)

    return change


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("demo") / "data"
    run_cli(data_dir, "demo", "--tables-only")
    return data_dir


@pytest.fixture(scope="session")
def served_data(demo_data, tmp_path_factory):
    """A copy for the gateway, which holds its folder, so that other tests may open theirs."""
    return shutil.copytree(demo_data, tmp_path_factory.mktemp("served") / "data")


@pytest.fixture(scope="session")
def endpoint(served_data):
    """A real gateway process over the tables general and clothes."""
    with gateway(served_data) as address:
        yield address


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    """A small CLIP as openai publishes it: vocab.json and merges.txt, an end token that config.json does not know."""
    from clip_folders import save_clip

    return save_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def clip_json_folder(tmp_path_factory):
    """A small CLIP as transformers makes and saves it now."""
    from clip_folders import save_clip

    return save_clip(tmp_path_factory.mktemp("clip-json"), seed=3, legacy_end=False, tokenizer_json=True, scale=1.0)


@pytest.fixture(scope="session")
def multilingual_folder(tmp_path_factory):
    """A small text tower as sentence-transformers publishes it."""
    from clip_folders import save_multilingual

    return save_multilingual(tmp_path_factory.mktemp("multilingual"))


@pytest.fixture(scope="session")
def clip_graphs(tmp_path_factory):
    """One cache of converted towers for all tests: converting takes longer than all else."""
    return tmp_path_factory.mktemp("converted")
