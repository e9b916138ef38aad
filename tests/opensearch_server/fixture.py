"""The server of a test session: the one that HAVENGATE_TEST_OPENSEARCH_URL names, or one started here."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from opensearch_server.artifacts import Missing
from opensearch_server.server import node

# Read at import: a fixture takes every HAVENGATE_ variable away before a test runs.
NAMED = os.environ.get("HAVENGATE_TEST_OPENSEARCH_URL")


@pytest.fixture(scope="session")
def opensearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if NAMED:
        yield NAMED
        return
    try:
        with node(tmp_path_factory.mktemp("opensearch")) as url:
            yield url
    except Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
