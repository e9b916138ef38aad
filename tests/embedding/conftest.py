import pytest
from hub_double import HubDouble
from pulls import PICTURES, TEXTS, Place, clip_files, sentence_files


@pytest.fixture
def hub():
    with HubDouble() as double:
        double.put(PICTURES, clip_files())
        double.put(TEXTS, sentence_files())
        yield double


@pytest.fixture
def place(hub, tmp_path):
    return Place(hub, tmp_path / "models")
