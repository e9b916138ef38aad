"""What the clauses beside config, query, filter and sort say. Frozen; spans are offsets into the whole request text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from havengate.types import AggregateName, Span
from query_parser.nodes import Expr, Query, SortItem, Text


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """``sum(price)``; count() has no value."""

    name: AggregateName
    value: Expr | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class AggregateItem:
    """One description of the aggregate clause; what was not given is None or empty."""

    keys: tuple[Expr, ...]
    calls: tuple[AggregateCall, ...]
    span: Span = field(compare=False)
    ranges: tuple[int | float, ...] = ()
    filter: Expr | None = None
    max_group: int | None = None
    sampler_threshold: int | None = None
    sampler_step: int | None = None


@dataclass(frozen=True, slots=True)
class DistinctItem:
    """One description of the distinct clause, with the engine's defaults; ``grades`` ascend."""

    key: Expr
    span: Span = field(compare=False)
    count: int = 1
    times: int = 1
    max_item_count: int = 0
    reserved: bool = True
    update_total_hit: bool = False
    module: str | None = None
    filter: Expr | None = None
    grades: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class VirtualAttribute:
    """A name for an expression; it may use the names before it."""

    name: str
    expr: Expr
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class FetchSummary:
    """Rows to fetch by key, in order. ``by`` is config's fetch_summary_type: gids for docid and pk, else keys."""

    by: Literal["docid", "pk", "rawpk"]
    keys: tuple[tuple[str, Text], ...]
    """Pairs of a cluster's name and a key (or a whole gid)."""


@dataclass(frozen=True, slots=True)
class RankClause:
    profile: str | None = None
    field_boosts: tuple[tuple[str, str, int], ...] = ()
    """Index, field, boost."""
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class LayerRange:
    """``cat{1,[10,20]}``: values and ranges as they are written, None is an open end; ``%other`` has none."""

    name: str
    values: tuple[str, ...] = ()
    ranges: tuple[tuple[str | None, str | None], ...] = ()
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Layer:
    """``quota`` None is unlimited or was not given."""

    ranges: tuple[LayerRange, ...] = ()
    quota: int | None = None
    quota_type: int = 0


@dataclass(frozen=True, slots=True)
class SearcherCache:
    use: bool | None = None
    key: int | None = None
    current_time: int | None = None
    expire_time: Expr | None = None
    filter: Expr | None = None
    doc_num_limits: tuple[int, ...] = ()
    refresh_attributes: tuple[str, ...] = ()
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class RankSort:
    items: tuple[SortItem, ...]
    percent: float


@dataclass(frozen=True, slots=True)
class FinalSort:
    name: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Level:
    clusters: tuple[tuple[str, ...], ...] = ()
    use: bool = True
    type: str | None = None
    min_docs: int | None = None
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Analyzer:
    everywhere: str | None = None
    by_index: Mapping[str, str] = field(default_factory=dict)
    no_tokenize: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HealthCheck:
    check: bool | None = None
    check_times: int | None = None
    recover_time: int | None = None


@dataclass(frozen=True, slots=True)
class Optimizer:
    names: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Auxiliary:
    """The clauses about a joined table, of which this gateway has none."""

    layers: tuple[Query, ...] = ()
    filter: Expr | None = None
    span: Span | None = field(default=None, compare=False)
