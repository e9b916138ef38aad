import pytest
from fake_model import FakeModel
from hub_double import HubDouble
from pulls import PICTURES, TEXTS, Place, clip_files, sentence_files

from embedding.service import EmbeddingService
from havengate.setting_groups import EmbeddingSettings


@pytest.fixture
def hub():
    with HubDouble() as double:
        double.put(PICTURES, clip_files())
        double.put(TEXTS, sentence_files())
        yield double


@pytest.fixture
def place(hub, tmp_path):
    return Place(hub, tmp_path / "models")


@pytest.fixture
def fake():
    return FakeModel()


@pytest.fixture
def make_service():
    services = []

    def make(loader, **settings):
        services.append(EmbeddingService(EmbeddingSettings(**settings), {"fake": loader}))
        return services[-1]

    yield make
    for service in services:
        service.close()


@pytest.fixture
def service(make_service, fake):
    return make_service(lambda _: fake)
