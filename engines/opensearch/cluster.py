"""Whether the cluster can serve as an engine: version, k-NN plugin, health."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from opensearchpy import exceptions

from havengate.errors import EngineError

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

OLDEST = (2, 19)
_NUMBER = re.compile(r"(\d+)\.(\d+)", re.ASCII)


def require_cluster(client: OpenSearch) -> str:
    """What the cluster is, in words. Raises EngineError saying what is wrong with it and what to do."""
    answer: object = client.info()
    told = answer.get("version") if isinstance(answer, Mapping) else None
    if not isinstance(told, Mapping) or told.get("distribution") != "opensearch":
        raise EngineError("the server is not OpenSearch; HAVENGATE_ENGINE__HOSTS names another product")
    number = str(told.get("number"))
    version = _NUMBER.match(number)
    if version is None or tuple(map(int, version.groups())) < OLDEST:
        raise EngineError(f"OpenSearch {number} is too old; {'.'.join(map(str, OLDEST))} is the oldest that works")
    try:
        client.transport.perform_request("GET", "/_plugins/_knn/stats")
    except (exceptions.RequestError, exceptions.NotFoundError) as error:
        raise EngineError("OpenSearch has no k-NN plugin; install opensearch-knn on every node") from error
    return f"OpenSearch {number} with k-NN"


def health(client: OpenSearch, pattern: str) -> str:
    """Of the tables' indexes. Raises EngineError where one is red."""
    told = client.cluster.health(index=pattern, params={"level": "indices", "expand_wildcards": "all"})
    red = sorted(name for name, index in told["indices"].items() if index["status"] == "red")
    if red:
        raise EngineError(f"red, some shards are missing: {', '.join(red)}; look at _cluster/allocation/explain")
    return f"{told['status']}, nodes: {told['number_of_nodes']}, indexes: {len(told['indices'])}"
