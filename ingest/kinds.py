"""The kinds of jobs there are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ingest.ingest_job import KIND, run_ingest
from ingest.jobs.model import Kind
from ingest.rebuild.rebuild import abandon_rebuild, run_rebuild
from ingest.rebuild.rollback import abandon_rollback, run_rollback

_ALL = (
    Kind(KIND, "current", run_ingest),
    Kind("rebuild", "next", run_rebuild, abandon_rebuild),
    Kind("rollback", "next", run_rollback, abandon_rollback),
)
KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _ALL})
