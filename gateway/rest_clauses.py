"""The body of POST /{table}/search -> the texts of HA3's clauses.

No value can say more than its key asks for: expressions have to be whole ones, other texts may not hold what separates
values in their clause.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.rest_models import Clusters, Dispersals, SortKey
from gateway.rest_query import query_clause
from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.types import Span
from query_parser.expr import parse_expr
from query_parser.numbers import decimal_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.rest_models import Aggregation, Cache, Dispersal, Layer, Ranking, RestSearch, Scalar
    from query_parser.nodes import Remark

_KEYWORD = "keyword"
"""The analyzer that leaves a text whole."""
_RANGE = re.compile(r"[^{},;]*(?:\{[^{};]*\}[^{},;]*)*")
"""Commas stand inside braces: outside they would begin another key."""


def clause_texts(search: RestSearch, table: str) -> dict[str, str]:
    """Texts by clause, those that say nothing left out; ``table`` is the name of the path's table.

    Raises RequestError naming the JSON path.
    """
    texts = {
        "cluster": _cluster(search.cluster, table),
        "query": None if search.query is None else query_clause(search.query),
        "filter": search.filter,
        "config": ",".join(f"{_plain(k, 'config')}:{_plain(v, f'config.{k}')}" for k, v in search.config.items()),
        "aggregate": ";".join(_aggregate(item, f"aggs.{place}") for place, item in enumerate(search.aggs)),
        "distinct": _distinct(search.distinct),
        "sort": ";".join(_sort(key, f"sort.{place}") for place, key in enumerate(search.sort)),
        "layer": ";".join(_layer(item, f"layer.{place}") for place, item in enumerate(search.layer)),
        "analyzer": _analyzer(search.analyzer),
        "searcher_cache": None if search.cache is None else _cache(search.cache),
        "fetch_summary": None if search.summary is None else ";".join(search.summary.gids or ()),
        "rank": None if search.rank is None else _rank(search.rank),
        "kvpairs": _kvpairs(search.kvpairs, search.rank),
    }
    needed = {"query"} if search.summary is None else {"fetch_summary"}
    return {name: text or "" for name, text in texts.items() if text or name in needed}


def _cluster(clusters: object, table: str) -> str:
    """Names in a list are the route's to look up."""
    if not isinstance(clusters, Clusters):
        return table
    parts = {
        "hash_field": [_plain(value, "cluster.hash_field", "|#,:=") for value in clusters.hash_field or ()],
        "part_ids": [str(number) for number in clusters.part_ids or ()],
    }
    given = {key: values for key, values in parts.items() if values}
    if len(given) > 1:
        raise _wrong("cluster", "hash_field and part_ids exclude each other")
    return "".join([table, *(f":{key}={'|'.join(values)}" for key, values in given.items())])


def _aggregate(item: Aggregation, path: str) -> str:
    code = HaCode.AGGREGATE_CLAUSE
    keys = [item.group_key] if isinstance(item.group_key, str) else item.group_key
    keys = [_expression(key, f"{path}.group_key", code) for key in keys]
    functions = item.agg_fun.split("#") if isinstance(item.agg_fun, str) else item.agg_fun
    functions = [_expression(text, f"{path}.agg_fun", code) for text in functions]
    agg_filter = None if item.agg_filter is None else _expression(item.agg_filter, f"{path}.agg_filter", code)
    return _pairs(
        {
            "group_key": keys[0] if len(keys) == 1 else f"[{','.join(keys)}]",
            "agg_fun": "#".join(functions),
            "agg_filter": agg_filter,
            "range": None if item.agg_range is None else "~".join(map(decimal_text, item.agg_range)),
            "max_group": item.max_group,
            "agg_sampler_threshold": item.agg_sampler_threshold,
            "agg_sampler_step": item.agg_sampler_step,
        }
    )


def _distinct(distinct: Dispersal | Dispersals | None) -> str | None:
    """The first description is the rough sort's, the second the fine sort's; one alone counts once."""
    if distinct is None:
        return None
    if not isinstance(distinct, Dispersals):
        return _dispersal(distinct, "distinct")
    named = {"default": distinct.default, "rank": distinct.rank, "rerank": distinct.rerank}
    texts = {name: _dispersal(item, f"distinct.{name}") for name, item in named.items() if item is not None}
    default = texts.get("default", "none_dist")
    if texts.keys() <= {"default"}:
        return texts.get("default")
    return f"{texts.get('rank', default)};{texts.get('rerank', default)}"


def _dispersal(item: Dispersal, path: str) -> str:
    code = HaCode.DISTINCT_CLAUSE
    dist_filter = None if item.dist_filter is None else _expression(item.dist_filter, f"{path}.dist_filter", code)
    return _pairs(
        {
            "dist_key": _expression(item.dist_key, f"{path}.dist_key", code),
            "dist_count": item.dist_count,
            "dist_times": item.dist_times,
            "max_item_count": item.max_item_count,
            "reserved": _truth(item.reserved),
            "update_total_hit": _truth(item.update_total_hit),
            "dist_filter": dist_filter,
            "grade": "|".join(map(decimal_text, item.grade or ())) or None,
        }
    )


def _sort(key: SortKey | str, path: str) -> str:
    if isinstance(key, SortKey):
        sign, expression, path = "+" if key.order == "asc" else "-", key.expression.strip(), f"{path}.expression"
    else:
        sign, expression = key[:1] if key[:1] in ("+", "-") else "", key.strip()
        expression = expression.removeprefix(sign)
    if expression == "RANK":
        return f"{sign}RANK"
    return f"{sign}{_expression(expression, path, HaCode.SORT_CLAUSE)}"


def _layer(item: Layer | str, path: str) -> str:
    if isinstance(item, str):
        return _plain(item, path, ";")
    ranges = [item.range] if isinstance(item.range, str) else item.range or []
    for text in ranges:
        if _RANGE.fullmatch(text) is None:
            raise _wrong(f"{path}.range", "a range is attribute{value,[low,high]}")
    return _pairs({"range": "*".join(ranges) or None, "quota": item.quota})


def _analyzer(analyzer: Mapping[str, str | list[str] | dict[str, str]]) -> str:
    """Beside the clause's own keys any key is an index, its value the analyzer's name."""
    everywhere: str | None = None
    whole: list[str] = []
    by_index: dict[str, str] = {}
    for key, value in analyzer.items():
        match key, value:
            case "global_analyzer", str():
                everywhere = value
            case "no_tokenize_indexes", list():
                whole += value
            case "specific_index_analyzer", dict():
                by_index |= value
            case _, str():
                if value == _KEYWORD:
                    whole.append(key)
                else:
                    by_index[key] = value
            case _:
                raise _wrong(f"analyzer.{excerpt(key)}", "an index has one analyzer's name")
    for name in (*whole, *by_index, *by_index.values(), *([] if everywhere is None else [everywhere])):
        _plain(name, "analyzer", ";#,:")
    return _pairs(
        {
            "global_analyzer": everywhere,
            "specific_index_analyzer": ";".join(f"{index}#{name}" for index, name in by_index.items()) or None,
            "no_tokenize_indexes": ";".join(whole) or None,
        }
    )


def _cache(cache: Cache) -> str:
    code = HaCode.CACHE_CLAUSE
    expire = None if cache.expire_time is None else _expression(str(cache.expire_time), "cache.expire_time", code)
    kept = None if cache.cache_filter is None else _expression(cache.cache_filter, "cache.cache_filter", code)
    names = [_plain(name, "cache.refresh_attributes", ";,:") for name in cache.refresh_attributes or ()]
    return _pairs(
        {
            "use": None if cache.enabled is None else ("yes" if cache.enabled else "no"),
            "key": cache.cache_key,
            "cur_time": cache.current_time,
            "expire_time": expire,
            "cache_filter": kept,
            "cache_doc_num_limit": ";".join(map(str, cache.cache_doc_num_limit or ())) or None,
            "refresh_attributes": ";".join(names) or None,
        }
    )


def _rank(rank: Ranking) -> str:
    boosts = [
        f"{_plain(field, 'rank.fieldboost', ';,:()')}({boost})" for field, boost in (rank.fieldboost or {}).items()
    ]
    return _pairs(
        {
            "rank_profile": None if rank.rank_profile is None else _plain(rank.rank_profile, "rank.rank_profile"),
            "fieldboost": ";".join(boosts) or None,
            "rank_hint": None if rank.rank_hint is None else _plain(rank.rank_hint, "rank.rank_hint"),
        }
    )


def _kvpairs(pairs: Mapping[str, Scalar], rank: Ranking | None) -> str:
    """The scripts of the rank clause are what HA3 clients send as formulas: the fine sort's wins."""
    scripts = {} if rank is None else {"first_formula": rank.ranking, "formula": rank.reranking}
    given = {name: script.source for name, script in scripts.items() if script is not None}
    for name in given.keys() & pairs.keys():
        raise _wrong(f"kvpairs.{name}", "the rank clause says it, too")
    return ",".join(f"{_escaped(key)}:{_escaped(_text(value))}" for key, value in [*pairs.items(), *given.items()])


# --- values --------------------------------------------------------------------------------------


def _expression(text: str, path: str, code: HaCode) -> str:
    """What the engine drops of a text would take what stands behind it along."""
    remarks: list[Remark] = []
    try:
        parse_expr(text, Span(0, len(text)), code, remarks)
    except RequestError as error:
        raise RequestError(f"{path}: {error.message}", code=error.code) from None
    if remarks:
        raise RequestError(f"{path}: {remarks[0].text}", code=code)
    return text


def _plain(value: Scalar, path: str, separators: str = ",:") -> str:
    text = _text(value)
    if not text.strip() or any(separator in text for separator in separators):
        raise _wrong(path, f"a text without any of {' '.join(separators)} is needed")
    return text


def _pairs(values: Mapping[str, object]) -> str:
    return ",".join(f"{key}:{value}" for key, value in values.items() if value is not None)


def _text(value: Scalar) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _truth(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\:," else char for char in text)


def _wrong(path: str, reason: str) -> RequestError:
    return RequestError(f"{excerpt(path)}: {reason}", code=HaCode.KEY_VALUE_PAIR)
