"""Every test of the contract runs on every engine that ENGINES names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.contract import Engine
from engines.embedded.engine import EmbeddedEngine
from engines.opensearch.engine import OpenSearchEngine
from havengate.setting_groups import EngineSettings

Opener = Callable[[Path], Engine]

ENGINES = ("embedded", "opensearch")


def prefix_of(folder: Path) -> str:
    """A folder of the test is a prefix of the cluster."""
    return f"test-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}-"


@pytest.fixture(params=ENGINES)
def opener(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Opens an engine over an empty folder, or over the one it left behind."""
    if request.param == "embedded":
        yield EmbeddedEngine.open
        return
    url = request.getfixturevalue("opensearch_url")
    prefixes = set()

    def open_engine(folder: Path) -> Engine:
        prefix = prefix_of(folder)
        prefixes.add(prefix)
        return OpenSearchEngine.open(EngineSettings(kind="opensearch", hosts=url, index_prefix=prefix, timeout_s=60))

    yield open_engine
    for prefix in prefixes:
        with OpenSearchEngine.open(EngineSettings(hosts=url, index_prefix=prefix)) as engine:
            for name in engine.table_names():
                engine.drop_table(name)
            published = f"{prefix}change-history,{prefix}slow-searches"
            engine._client.indices.delete(index=published, params={"ignore_unavailable": "true"})


@pytest.fixture
def place(request: pytest.FixtureRequest, opener: Opener) -> Callable[[Path], list[str]]:  # noqa: ARG001  its engine
    """Where another process finds the engine of a folder, as arguments of a child."""
    if request.node.callspec.params["opener"] == "embedded":
        return lambda folder: ["embedded", str(folder)]
    url = request.getfixturevalue("opensearch_url")
    return lambda folder: ["opensearch", url, prefix_of(folder)]


@pytest.fixture
def engine(opener: Opener, tmp_path: Path) -> Iterator[Engine]:
    engine = opener(tmp_path / "data")
    yield engine
    engine.close()
