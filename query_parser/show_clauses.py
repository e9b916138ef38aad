"""Clauses as text: HA3 syntax with what was understood, and nothing that only repeats a default.

Queries are shown as trees, by show_query.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from query_parser.aggregate import call_text
from query_parser.clause_nodes import (
    AggregateItem,
    Analyzer,
    DistinctItem,
    FetchSummary,
    FinalSort,
    HealthCheck,
    Layer,
    LayerRange,
    Level,
    Optimizer,
    RankClause,
    RankSort,
    SearcherCache,
    VirtualAttribute,
)
from query_parser.nodes import Expr, SortItem
from query_parser.numbers import decimal_text
from query_parser.show_expr import expr_text
from query_parser.tokens import OPENING

Pair = tuple[str, object]


def sort_text(items: Iterable[SortItem]) -> str:
    return ";".join(map(_key, items))


def distinct_text(items: Iterable[DistinctItem | None]) -> str:
    return ";".join("none_dist" if item is None else _pairs(_distinct(item)) for item in items)


def aggregate_text(items: Iterable[AggregateItem]) -> str:
    return ";".join(_pairs(_aggregate(item)) for item in items)


def virtual_attribute_text(items: Iterable[VirtualAttribute]) -> str:
    """A name that would open a description of another clause stands behind a ``;``."""
    shown = ";".join(f"{item.name}:{expr_text(item.expr)}" for item in items)
    return f";{shown}" if shown.partition(":")[0] in OPENING else shown


def rank_text(rank: RankClause) -> str:
    boosts = ";".join(f"{index}.{name}({boost})" for index, name, boost in rank.field_boosts)
    return _pairs([("rank_profile", rank.profile), ("fieldboost", boosts or None), ("rank_hint", rank.hint)])


def health_check_text(check: HealthCheck) -> str:
    return _pairs(
        [("check", check.check), ("check_times", check.check_times), ("recover_time", check.recover_time)],
    )


def fetch_summary_text(fetch: FetchSummary) -> str:
    if fetch.by != "rawpk":
        return ",".join(key.text for _, key in fetch.keys)
    groups = groupby(fetch.keys, key=itemgetter(0))
    return ";".join(f"{_escaped(name)}:{','.join(_escaped(key.text) for _, key in keys)}" for name, keys in groups)


def kvpairs_text(pairs: Iterable[tuple[str, str]]) -> str:
    """An empty value at the end stands before a comma: ``key:`` alone would be refused."""
    shown = ",".join(f"{_escaped(key)}:{_escaped(value)}" for key, value in pairs)
    return f"{shown}," if shown.endswith(":") else shown


def layer_text(layers: Iterable[Layer]) -> str:
    return ";".join(_pairs(_layer(layer)) for layer in layers)


def searcher_cache_text(cache: SearcherCache) -> str:
    use = None if cache.use is None else "yes" if cache.use else "no"
    return _pairs(
        [
            ("use", use),
            ("key", cache.key),
            ("cur_time", cache.current_time),
            ("expire_time", _expr(cache.expire_time)),
            ("cache_filter", _expr(cache.filter)),
            ("cache_doc_num_limit", _joined(";", cache.doc_num_limits)),
            ("refresh_attributes", _joined(";", cache.refresh_attributes)),
        ]
    )


def optimizer_text(optimizer: Optimizer) -> str:
    """The engine puts names and options together by their order."""
    names = (f"name:{name}" for name in optimizer.names)
    return ",".join([*names, *(f"option:{option}" for option in optimizer.options)])


def rank_sort_text(shares: Iterable[RankSort]) -> str:
    return ";".join(
        f"sort:{'#'.join(map(_key, share.items))},percent:{decimal_text(share.percent)}" for share in shares
    )


def final_sort_text(sort: FinalSort) -> str:
    params = ",".join(f"{key}#{value}" for key, value in sort.params.items())
    return f"sort_name:{sort.name}" + (f";sort_param:{params}" if params else "")


def level_text(level: Level) -> str:
    """A name that a list would be cut at can only be the one of second_level_cluster."""
    uncut = any(sign in name for names in level.clusters for name in names for sign in "&;")
    return _pairs(
        [
            ("second_level_cluster" if uncut else "level_clusters", _joined(";", map("&".join, level.clusters))),
            ("uselevel", None if level.use else "no"),
            ("level_type", level.type),
            ("min_docs", level.min_docs),
        ]
    )


def analyzer_text(analyzer: Analyzer) -> str:
    return _pairs(
        [
            ("global_analyzer", analyzer.everywhere),
            ("specific_index_analyzer", _joined(";", (f"{name}#{what}" for name, what in analyzer.by_index.items()))),
            ("no_tokenize_indexes", _joined(";", analyzer.no_tokenize)),
        ]
    )


def _distinct(item: DistinctItem) -> Iterator[Pair]:
    yield "dist_key", expr_text(item.key)
    yield "dist_count", item.count
    yield "dist_times", item.times
    yield "max_item_count", item.max_item_count or None
    yield "reserved", item.reserved
    yield "update_total_hit", item.update_total_hit
    yield "dbmodule", item.module
    yield "dist_filter", _expr(item.filter)
    yield "grade", _joined("|", item.grades)


def _aggregate(item: AggregateItem) -> Iterator[Pair]:
    keys = ",".join(map(expr_text, item.keys))
    yield "group_key", f"[{keys}]" if len(item.keys) > 1 else keys
    yield "agg_fun", "#".join(map(call_text, item.calls))
    yield "range", _joined("~", item.ranges)
    yield "agg_filter", _expr(item.filter)
    yield "max_group", item.max_group
    yield "agg_sampler_threshold", item.sampler_threshold
    yield "agg_sampler_step", item.sampler_step


def _layer(layer: Layer) -> Iterator[Pair]:
    yield "range", _joined("*", map(_range, layer.ranges))
    kind = f"#{layer.quota_type}" if layer.quota_type else ""
    if layer.quota is not None or kind or not layer.ranges:
        yield "quota", f"{'UNLIMITED' if layer.quota is None else layer.quota}{kind}"


def _range(part: LayerRange) -> str:
    inner = [*part.values, *(f"[{low or ''},{high or ''}]" for low, high in part.ranges)]
    return f"{part.name}{{{','.join(inner)}}}" if inner else part.name


def _key(item: SortItem) -> str:
    return f"{'-' if item.descending else '+'}{'RANK' if item.expr is None else expr_text(item.expr)}"


def _expr(expr: Expr | None) -> str | None:
    return None if expr is None else expr_text(expr)


def _joined(separator: str, items: Iterable[object]) -> str | None:
    return separator.join(map(_plain, items)) or None


def _pairs(pairs: Iterable[Pair]) -> str:
    return ",".join(f"{key}:{_plain(value)}" for key, value in pairs if value is not None)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return decimal_text(value) if isinstance(value, float) else str(value)


def _escaped(text: str) -> str:
    for sign in "\\:,;":
        text = text.replace(sign, f"\\{sign}")
    return text
