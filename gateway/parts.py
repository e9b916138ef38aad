"""What an application is made of beside its services; each may be missing, as it is in tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.metrics import Metrics

if TYPE_CHECKING:
    from gateway.slow import SlowSearches
    from ingest.table_administration import LocalAdministration


@dataclass(frozen=True, slots=True)
class Parts:
    """Without ``administration`` nothing is recorded, and there is neither /admin nor /changes; without ``slow`` slow
    searches are not told. ``token`` opens /admin.
    """

    administration: LocalAdministration | None = None
    token: str = ""
    metrics: Metrics = field(default_factory=Metrics)
    slow: SlowSearches | None = None
