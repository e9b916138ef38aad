"""Every test of the contract runs on every engine that ENGINES names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.contract import Engine
from engines.embedded.engine import EmbeddedEngine

Opener = Callable[[Path], Engine]

ENGINES: dict[str, Opener] = {"embedded": EmbeddedEngine.open}
"""Each opens an engine over an empty folder, or over the one it left behind."""


@pytest.fixture(params=ENGINES)
def opener(request: pytest.FixtureRequest) -> Opener:
    return ENGINES[request.param]


@pytest.fixture
def engine(opener: Opener, tmp_path: Path) -> Iterator[Engine]:
    engine = opener(tmp_path / "data")
    yield engine
    engine.close()
