import uuid

import pytest
from support import open_colour_services

from embedding.service import EmbeddingService
from engines.opensearch.engine import OpenSearchEngine
from havengate.blobs import FolderBlobStore
from havengate.services import wire
from havengate.settings import EngineSettings, Settings


@pytest.fixture(scope="module")
def both(tmp_path_factory, opensearch_url):
    """Services over the embedded engine, and over a cluster with three shards a table."""
    embedded = open_colour_services(Settings(data_dir=tmp_path_factory.mktemp("embedded")), None)
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    engine = EngineSettings(kind="opensearch", hosts=opensearch_url, index_prefix=prefix, timeout_s=60, shards=3)
    settings = Settings(data_dir=tmp_path_factory.mktemp("cluster"), engine=engine)
    blobs = FolderBlobStore(settings.data_dir / "blobs")
    cluster = wire(settings, OpenSearchEngine.open(engine), EmbeddingService(settings.embedding, {}), blobs)
    yield embedded, cluster
    for services in (embedded, cluster):
        for name in services.tables.names():
            services.tables.drop(name)
        services.close()
