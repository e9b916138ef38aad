"""What an application is made of beside its services; each may be missing, as it is in tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.table_administration import LocalAdministration


@dataclass(frozen=True, slots=True)
class Parts:
    """Without ``administration`` nothing is recorded, and there is neither /admin nor /changes.

    ``token`` opens /admin.
    """

    administration: LocalAdministration | None = None
    token: str = ""
