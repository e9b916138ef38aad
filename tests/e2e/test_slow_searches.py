"""A gateway over a cluster: its slow searches are documents there, its metrics say that the cluster answers."""

import uuid

import pytest
from colour_model import ColourModel
from opensearchpy import OpenSearch
from support import photo_row

from embedding.service import EmbeddingService
from engines.opensearch.engine import OpenSearchEngine
from gateway.app import create_app
from gateway.parts import Parts
from gateway.slow import SlowSearches
from havengate.blobs import FolderBlobStore
from havengate.documents import Command
from havengate.services import wire
from havengate.settings import Settings
from schemas.settings import TableSettings
from schemas.templates import template


@pytest.fixture
def services(opensearch_url, tmp_path):
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    engine = {"kind": "opensearch", "hosts": opensearch_url, "index_prefix": prefix, "timeout_s": 60}
    settings = Settings(data_dir=tmp_path, engine=engine, log={"slow_ms": 0.001, "slow_index": True})
    embedding = EmbeddingService(settings.embedding, {"builtin": lambda _: ColourModel()})
    opened = wire(settings, OpenSearchEngine.open(settings.engine), embedding, FolderBlobStore(tmp_path / "blobs"))
    opened.tables.create("photos", template("base64"), TableSettings())
    opened.documents.push(opened.engine.table("photos"), [Command("add", photo_row(1, "red"))])
    yield opened
    opened.tables.drop("photos")
    opened.close()


def test_a_slow_search_is_kept_in_the_cluster(services, opensearch_url):
    dropped = []
    slow = SlowSearches(services.settings.log, services.engine.publish, lambda: dropped.append(1))
    client = create_app(services, Parts(slow=slow)).test_client()
    query = "query=vector:'red&modal=text&n=5'&&cluster=photos&&config=format:json"
    client.get("/query", query_string={"query": query}, headers={"X-Opensearch-Request-ID": "mine"})
    slow.close()
    assert dropped == []
    index = f"{services.settings.engine.index_prefix}slow-searches"
    with OpenSearch([opensearch_url]) as cluster:
        cluster.indices.refresh(index=index)
        (hit,) = cluster.search(index=index, body={"query": {"term": {"request_id": "mine"}}})["hits"]["hits"]
        cluster.indices.delete(index=hit["_index"])
    kept = hit["_source"]
    assert (kept["table"], kept["dialect"], kept["total"], kept["hits"]) == ("photos", "ha", 1, 1)
    assert kept["stages"].keys() == {"parse", "embed", "engine", "pool", "fetch", "format"}
    assert kept["plan"]["query"]["vector"]["text"] == "red"
    assert "havengate_engine_up 1.0" in client.get("/metrics").text
