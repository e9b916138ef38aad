"""The graph that a vector index asks for: HNSW and the part of ``build_index_params`` that says how to build it.

Names are those of the vendor's engine (havenask, aitheta2: proxima.hnsw.builder.*). Other index types (Qc, Linear)
have no counterpart here. The embedded engine searches exactly and builds no graph.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from havengate.errors import SchemaError
from schemas.table import Hnsw

if TYPE_CHECKING:
    from schemas.vendor import IndexParameters

NEIGHBOURS = "proxima.hnsw.builder.max_neighbor_count"
CANDIDATES = "proxima.hnsw.builder.efconstruction"
LIMITS = {NEIGHBOURS: (2, 512), CANDIDATES: (2, 3200)}
"""What Lucene takes (Lucene99HnswVectorsFormat)."""


def asks_for_hnsw(parameters: IndexParameters) -> bool:
    return str(parameters.extra_value("vector_index_type")).upper() == "HNSW"


def build_parameters(parameters: IndexParameters) -> dict[str, object]:
    """The object in ``build_index_params``, which the vendor writes as JSON text. Raises SchemaError."""
    given = parameters.extra_value("build_index_params")
    try:
        read = json.loads(given) if isinstance(given, str) and given else given or {}
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"not usable as JSON: {error}") from error
    if not isinstance(read, dict):
        raise SchemaError("not a JSON object")
    return read


def hnsw(parameters: IndexParameters) -> Hnsw | None:
    """Raises SchemaError saying what is wrong; None for another type of index."""
    if not asks_for_hnsw(parameters):
        return None
    given = build_parameters(parameters)
    return Hnsw(_whole(given, NEIGHBOURS), _whole(given, CANDIDATES))


def _whole(given: dict[str, object], name: str) -> int | None:
    value = given.get(name)
    low, high = LIMITS[name]
    if value is None or (type(value) is int and low <= value <= high):
        return value
    raise SchemaError(f"{name} is a whole number from {low} to {high}, not {str(value)[:20]!r}")
