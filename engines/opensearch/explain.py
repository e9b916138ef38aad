"""What the cluster is asked for a query, and under profile what it says of its own work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engines.checks import check_rows_query
from engines.contract import PoolQuery
from engines.opensearch import bodies
from engines.opensearch.pool import checked, exact_rows, graph_suffices
from engines.opensearch.pool_bodies import PoolBodies
from engines.opensearch.rows import page_size
from havengate.shortened import shortened

if TYPE_CHECKING:
    from engines.contract import Explanation, RowsQuery
    from engines.opensearch.bodies import Body
    from engines.opensearch.searches import Searches
    from schemas.table import TableSchema


def explained(
    searches: Searches, alias: str, schema: TableSchema, query: PoolQuery | RowsQuery, *, profile: bool
) -> Explanation:
    """Raises RequestError as the query itself would."""
    requests = dict(_requests(schema, query))
    told: dict[str, object] = {
        "engine": "opensearch",
        "index": alias,
        "requests": {name: shortened(body, whole=("source",)) for name, body in requests.items()},
    }
    if isinstance(query, PoolQuery):
        told["exact"] = "is asked" if query.exact else f"is asked where {_when(query)}"
    if profile:
        told["profile"] = _profiles(searches, alias, query, requests)
    return told


def _requests(schema: TableSchema, query: PoolQuery | RowsQuery) -> Mapping[str, Body]:
    if not isinstance(query, PoolQuery):
        check_rows_query(query, schema)
        return {"rows": bodies.matching(schema, query, page_size(query))}
    query = checked(schema, query)
    asked = PoolBodies(schema, query)
    return {**asked.first(), "exact": asked.exact()}


def _when(query: PoolQuery) -> str:
    return f"at most {exact_rows(query)} rows match, or the graph gave too few"


def _profiles(
    searches: Searches, alias: str, query: PoolQuery | RowsQuery, requests: Mapping[str, Body]
) -> dict[str, dict[str, Any]]:
    """Of the requests that the query itself makes: the exact one would take long over many rows."""
    told: dict[str, dict[str, Any]] = {}
    for name, body in requests.items():
        if name == "exact" and isinstance(query, PoolQuery) and not query.exact:
            base, found = told["count_base"]["total"], told["approximate"]["hits"]
            if graph_suffices(query, base, found):
                continue
        told[name] = _profiled(searches, alias, body)
    return told


def _profiled(searches: Searches, alias: str, body: Body) -> dict[str, Any]:
    answer = searches.one(alias, {**body, "profile": True})
    total = answer["hits"].get("total", {}).get("value")
    return {
        "took_ms": answer["took"],
        "hits": len(answer["hits"]["hits"]),
        **({} if total is None else {"total": total}),
        "shards": answer["profile"]["shards"],
    }
