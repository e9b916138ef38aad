"""kill -9 of nodes under readers and writers: no wrong answer, no acknowledged write lost, no error."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
from cluster_traffic import VENDOR, EngineStore, GatewayStore, Traffic
from support import run_cli

from engines.opensearch.engine import OpenSearchEngine
from havengate.demo.process import gateway
from havengate.setting_groups import EngineSettings

SHARDS, COPIES = 3, 1


@pytest.fixture
def engine_store(opensearch_cluster):
    settings = EngineSettings(
        kind="opensearch", hosts=",".join(opensearch_cluster.urls), shards=SHARDS, replicas=str(COPIES)
    )
    with OpenSearchEngine.open(settings.model_copy(update={"index_prefix": "direct-"})) as engine:
        yield EngineStore(engine)
        engine.drop_table("t")


@pytest.fixture
def gateway_store(opensearch_cluster, tmp_path, monkeypatch):
    settings = {"KIND": "opensearch", "HOSTS": ",".join(opensearch_cluster.urls), "INDEX_PREFIX": "served-"}
    for name, value in (settings | {"SHARDS": str(SHARDS), "REPLICAS": str(COPIES)}).items():
        monkeypatch.setenv(f"HAVENGATE_ENGINE__{name}", value)
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(VENDOR))
    run_cli(tmp_path, "table", "create", "rows", "--schema", str(schema))
    with gateway(tmp_path) as endpoint:
        yield GatewayStore(endpoint, "rows")
    run_cli(tmp_path, "table", "drop", "rows", "--yes")


@contextmanager
def traffic(*stores):
    running = [Traffic(store, type(store).__name__, seed) for seed, store in enumerate(stores)]
    try:
        yield running
    finally:
        for each in running:
            each.stop()
    for each in running:
        each.check()


def victim(cluster, role):
    manager = cluster.manager()
    return manager if role == "manager" else (manager + 1) % len(cluster.nodes)


def kill_under_traffic(cluster, role, running):
    """One node dies, work goes on without it, it comes back, work goes on until the cluster is whole."""
    for each in running:
        each.wait_for(6)
    place = victim(cluster, role)
    cluster.kill(place)
    try:
        for each in running:
            each.wait_for(12)
    finally:
        cluster.restart(place)
    cluster.wait_until_green()
    for each in running:
        each.wait_for(6)


def test_a_killed_cluster_manager_costs_nothing(opensearch_cluster, engine_store, gateway_store):
    with traffic(engine_store, gateway_store) as running:
        kill_under_traffic(opensearch_cluster, "manager", running)


@pytest.mark.long
@pytest.mark.parametrize("role", ["data", "manager"] * 3)
def test_killed_nodes_cost_nothing(opensearch_cluster, engine_store, gateway_store, role):
    with traffic(engine_store, gateway_store) as running:
        kill_under_traffic(opensearch_cluster, role, running)
