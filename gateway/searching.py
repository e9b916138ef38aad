"""A search as every dialect makes it: its stages are added to the request's, its plan kept for the log of slow ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import g

from gateway.stages import add_stages

if TYPE_CHECKING:
    from havengate.services import Services
    from havengate.types import SearchPlan, SearchResult


@dataclass(frozen=True, slots=True)
class Searched:
    """``result`` is missing where the search failed."""

    plan: SearchPlan
    result: SearchResult | None = None


def search(services: Services, plan: SearchPlan) -> SearchResult:
    """Raises as Searcher.search does."""
    g.searched = Searched(plan)
    result = services.searcher.search(plan)
    add_stages(result.timings)
    g.searched = Searched(plan, result)
    return result
