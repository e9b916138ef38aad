"""The server of a test session: the one that HAVENGATE_TEST_OPENSEARCH_URL names, or one started here.

HAVENGATE_TEST_OPENSEARCH_VERSION chooses what is started; naming it, like CI=true, makes missing tools a failure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NoReturn

import pytest

from opensearch_server.jdk import Missing
from opensearch_server.releases import DEFAULT
from opensearch_server.server import Cluster, cluster, node

# Read at import: a fixture takes every HAVENGATE_ variable away before a test runs.
NAMED = os.environ.get("HAVENGATE_TEST_OPENSEARCH_URL")
ASKED = os.environ.get("HAVENGATE_TEST_OPENSEARCH_VERSION")
VERSION = ASKED or DEFAULT


@pytest.fixture(scope="session")
def opensearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if NAMED:
        yield NAMED
        return
    try:
        with node(tmp_path_factory.mktemp("opensearch"), version=VERSION) as url:
            yield url
    except Missing as missing:
        or_skip(missing)


@pytest.fixture(scope="module")
def opensearch_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes, for tests that kill them and start them again."""
    try:
        with cluster(tmp_path_factory.mktemp("cluster"), version=VERSION) as three:
            yield three
    except Missing as missing:
        or_skip(missing)


def or_skip(missing: Missing) -> NoReturn:
    if os.environ.get("CI") or ASKED:
        raise missing
    pytest.skip(str(missing))
