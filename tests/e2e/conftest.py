import json
import uuid

import pytest

from havengate.services import open_services
from havengate.setting_groups import EngineSettings
from havengate.settings import Settings
from schemas.templates import template


@pytest.fixture
def schema(tmp_path):
    """The path of a schema for pushed pictures."""
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(template("base64").to_json()))
    return str(file)


@pytest.fixture(scope="module")
def both(tmp_path_factory, opensearch_url):
    """Services over the embedded engine, and over a cluster with three shards a table."""
    embedded = open_services(Settings(data_dir=tmp_path_factory.mktemp("embedded")))
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    engine = EngineSettings(kind="opensearch", hosts=opensearch_url, index_prefix=prefix, timeout_s=60, shards=3)
    cluster = open_services(Settings(data_dir=tmp_path_factory.mktemp("cluster"), engine=engine))
    yield embedded, cluster
    for services in (embedded, cluster):
        for name in services.tables.names():
            services.tables.drop(name)
        services.close()
