"""A HA3 request, clause by clause. Frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from havengate.types import Span
from query_parser.clause_nodes import (
    AggregateItem,
    Analyzer,
    Auxiliary,
    DistinctItem,
    FetchSummary,
    FinalSort,
    HealthCheck,
    Layer,
    Level,
    Optimizer,
    RankClause,
    RankSort,
    SearcherCache,
    VirtualAttribute,
)
from query_parser.nodes import Expr, Query, Remark, SortItem, Text

_FLAGS = {
    **dict.fromkeys(("t", "true", "y", "yes", "1"), True),
    **dict.fromkeys(("f", "false", "n", "no", "0"), False),
}


@dataclass(frozen=True, slots=True)
class Config:
    """Known config keys that were given, by key: numbers as int, the rest as text.

    ``clusters`` and ``kvpairs`` are what all keys of these names say together.
    """

    values: Mapping[str, int | str] = field(default_factory=dict)
    spans: Mapping[str, Span] = field(default_factory=dict, compare=False)
    clusters: tuple[Text, ...] = ()
    kvpairs: Mapping[str, Text] = field(default_factory=dict)

    def number(self, key: str, default: int) -> int:
        value = self.values.get(key, default)
        return value if isinstance(value, int) else default

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        return value if isinstance(value, str) else None

    def flag(self, key: str, *, default: bool) -> bool:
        """Values other than these leave the default, as in autil's parseTrueFalse."""
        value = str(self.values.get(key, "")).lower()
        return _FLAGS.get(value, default)

    @property
    def start(self) -> int:
        return self.number("start", 0)

    @property
    def hit(self) -> int:
        return self.number("hit", 10)

    @property
    def format(self) -> str | None:
        return self.text("format")

    @property
    def default_index(self) -> str:
        return self.text("default_index") or "default"

    @property
    def default_operator(self) -> Literal["AND", "OR"]:
        """Values other than AND and OR do not count."""
        return "OR" if self.text("default_operator") == "OR" else "AND"


@dataclass(frozen=True, slots=True)
class HaRequest:
    """One request, clause by clause. ``layers`` are the query clause's alternatives, usually one.

    ``distinct`` has None for none_dist; ``query_layers`` is the layer clause; ``kvpairs`` holds config's kvpairs, too.
    """

    text: str
    config: Config = Config()
    clusters: tuple[Text, ...] = ()
    layers: tuple[Query, ...] = ()
    filter: Expr | None = None
    pkfilter: Text | None = None
    sort: tuple[SortItem, ...] = ()
    distinct: tuple[DistinctItem | None, ...] = ()
    aggregates: tuple[AggregateItem, ...] = ()
    rank: RankClause | None = None
    health_check: HealthCheck | None = None
    attributes: tuple[Text, ...] = ()
    virtual_attributes: tuple[VirtualAttribute, ...] = ()
    fetch_summary: FetchSummary | None = None
    kvpairs: Mapping[str, Text] = field(default_factory=dict)
    query_layers: tuple[Layer, ...] = ()
    searcher_cache: SearcherCache | None = None
    optimizer: Optimizer | None = None
    rank_sort: tuple[RankSort, ...] = ()
    final_sort: FinalSort | None = None
    level: Level | None = None
    analyzer: Analyzer | None = None
    auxiliary: Auxiliary | None = None
    remarks: tuple[Remark, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(remark.text for remark in self.remarks)

    @property
    def request_id(self) -> str | None:
        """The id that the SDK puts into every request."""
        pair = self.kvpairs.get("__ops_request_id")
        return None if pair is None else pair.text
