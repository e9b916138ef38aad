"""The kinds of jobs there are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ingest.ingest_job import KIND, run_ingest
from ingest.jobs.model import Kind

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in (Kind(KIND, "current", run_ingest),)})
