"""What happens to all tables: rows written, rows rejected, slow searches, and the dashboard of it all. Pure.

The indexes are those that engines/opensearch publishes to. Their fields stand here and not there, because an export
needs no cluster's client; a test holds the two against each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engines.opensearch.names import Names
from havengate.dashboards.charts import by_terms, chart, over_time, percentiles, total
from havengate.dashboards.objects import Json, Kind, Reference, SavedObject, search_source, text
from havengate.dashboards.patterns import index_pattern, mapped_fields

TIME = "at"
HISTORY_FIELDS: Mapping[str, str] = {
    **dict.fromkeys((TIME, "ended"), "date"),
    **dict.fromkeys(("what", "table", "by", "state"), "keyword"),
    **dict.fromkeys(("id", "version", "job", "read", "written", "deleted", "rejected"), "long"),
    "progress": "double",
}
SLOW_FIELDS: Mapping[str, str] = {
    TIME: "date",
    **dict.fromkeys(("table", "dialect", "request_id", "error"), "keyword"),
    **dict.fromkeys(
        ("took_ms", *(f"stages.{name}" for name in ("wait", "parse", "embed", "engine", "pool", "format"))), "double"
    ),
    **dict.fromkeys(("total", "hits"), "long"),
}
_TABLES = 20
_PERCENTS = (50, 95, 99)
_LONGEST_SCOPE = 200


@dataclass(frozen=True, slots=True)
class Scope:
    """``tables`` are those that are meant alone; none means all, also those of tomorrow."""

    prefix: str
    tables: tuple[str, ...] = ()

    def id(self, name: str) -> str:
        """Objects of some tables must not take the place of those of all. No table's name has a dot or a hyphen."""
        names = ".".join(sorted(self.tables))
        short = names if len(names) <= _LONGEST_SCOPE else hashlib.sha256(names.encode()).hexdigest()[:16]
        return f"{self.prefix}{name}" + (f".{short}" if short else "")

    def query(self, condition: str) -> str:
        """``condition`` for these tables, in Lucene's syntax."""
        if not self.tables:
            return condition
        # In quotes, as a table may be called OR.
        mine = "table:({})".format(" OR ".join(f'"{name}"' for name in sorted(self.tables)))
        return f"{condition} AND {mine}" if condition else mine


def history_objects(scope: Scope) -> tuple[SavedObject, ...]:
    """The change history's index pattern, rows written and rows rejected."""
    pattern = index_pattern(
        Names(scope.prefix).published("change-history"), mapped_fields(_properties(HISTORY_FIELDS)), time_field=TIME
    )
    written = chart(
        scope.id("change-history.written"),
        "rows written by hour",
        "histogram",
        pattern,
        [total("written", "rows written"), over_time(TIME, "h"), by_terms("table", _TABLES, "table", split=True)],
        # A rebuild writes rows, too, but none that are new.
        query=scope.query("what:(push OR ingest)"),
        description="Pushes by hour, and ingests at the hour in which they began.",
    )
    rejected = chart(
        scope.id("change-history.rejected"),
        "rows rejected by hour",
        "histogram",
        pattern,
        [total("rejected", "rows rejected"), over_time(TIME, "h"), by_terms("table", _TABLES, "table", split=True)],
        query=scope.query("rejected:>0"),
        description="Rows that pushes, ingests and rebuilds could not take, at the hour in which those began.",
    )
    return pattern, written, rejected


def slow_objects(scope: Scope) -> tuple[SavedObject, ...]:
    """The slow searches' index pattern and how slow they were."""
    fields = mapped_fields(_properties(SLOW_FIELDS))
    pattern = index_pattern(Names(scope.prefix).published("slow-searches"), fields, time_field=TIME)
    latency = chart(
        scope.id("slow-searches.latency"),
        "latency of slow searches",
        "line",
        pattern,
        [percentiles("took_ms", _PERCENTS, "ms"), over_time(TIME, "auto")],
        query=scope.query(""),
        description="Percentiles over searches that took longer than HAVENGATE_LOG__SLOW_MS; others are not kept.",
    )
    return pattern, latency


def dashboard(scope: Scope, shared: Sequence[SavedObject], tables: Sequence[Sequence[SavedObject]]) -> SavedObject:
    """One dashboard: what happens to all tables on top, then the categories and the rows of each table."""
    panels: list[tuple[SavedObject, tuple[int, int, int, int]]] = []
    top = 0
    for row, height in ((_shown(shared), 12), *((_shown(each), 20) for each in tables)):
        panels += [(each, (*place, height)) for each, place in _side_by_side(row, top)]
        top += height if row else 0
    attributes = {
        "title": f"havengate: {', '.join(sorted(scope.tables)) or 'all tables'} ({scope.prefix}*)",
        "hits": 0,
        "description": "Made by `havengate dashboards export`; the next import replaces it.",
        "panelsJSON": text([_panel(number, place) for number, (_, place) in enumerate(panels)]),
        "optionsJSON": text({"hidePanelTitles": False, "useMargins": True}),
        "version": 1,
        "timeRestore": True,
        "timeFrom": "now-7d",
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 0},
        "kibanaSavedObjectMeta": search_source(indexed=False),
    }
    references = tuple(Reference(f"panel_{n}", each.kind, each.id) for n, (each, _) in enumerate(panels))
    return SavedObject("dashboard", scope.id("dashboard"), attributes, references)


_PANELS: Mapping[Kind, int] = {"visualization": 16, "search": 32}
"""How wide, of 48 columns, a panel is beside the other kind."""


def _shown(objects: Sequence[SavedObject]) -> list[SavedObject]:
    """Charts before rows, as people read."""
    return sorted((each for each in objects if each.kind in _PANELS), key=lambda each: each.kind == "search")


def _side_by_side(row: Sequence[SavedObject], top: int) -> list[tuple[SavedObject, tuple[int, int, int]]]:
    """x, y and width of each panel; a row is 48 columns wide, whatever stands in it."""
    share = sum(_PANELS[each.kind] for each in row)
    placed, left = [], 0
    for each in row:
        width = 48 * _PANELS[each.kind] // share
        placed.append((each, (left, top, width)))
        left += width
    return placed


def _panel(number: int, place: tuple[int, int, int, int]) -> Json:
    x, y, width, height = place
    index = str(number + 1)
    return {
        "version": "2.19.0",
        "gridData": {"x": x, "y": y, "w": width, "h": height, "i": index},
        "panelIndex": index,
        "embeddableConfig": {},
        "panelRefName": f"panel_{number}",
    }


def _properties(fields: Mapping[str, str]) -> Json:
    return {name: {"type": kind} for name, kind in fields.items()}
