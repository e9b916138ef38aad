"""The config clause: ``key:value`` pairs, each key with its kind and the engine's code for a bad value."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clauses import pair, pieces
from query_parser.cluster import parse_config_clusters
from query_parser.kvpairs import parse_config_kvpairs
from query_parser.nodes import Remark, Text
from query_parser.numbers import int64, uint32
from query_parser.request import Config

_OPTION = re.compile(r"[^&]+")
FORMATS = ("json", "fulljson", "xml", "protobuf", "fb_summary")
"""The engine's own are xml, protobuf and fb_summary; the vendor's service adds the others."""


@dataclass(frozen=True, slots=True)
class Key:
    """How a key's value is read; ``read`` returns None where the value is not one."""

    read: Callable[[str], int | str | None]
    code: HaCode = HaCode.KEY_VALUE_PAIR
    expects: str = "a text"


def _count(code: HaCode) -> Key:
    return Key(uint32, code, "a whole number from 0 to 2^32 - 1")


def _one_of(code: HaCode, choices: Sequence[str]) -> Key:
    return Key(lambda value: value if value in choices else None, code, f"one of {', '.join(choices)}")


def _options(code: HaCode, choices: Sequence[str]) -> Key:
    def read(value: str) -> str | None:
        parts = (found[0].strip() for found in _OPTION.finditer(value))
        return value if all(part in choices for part in parts if part) else None

    return Key(read, code, f"{' & '.join(choices)}")


_FREE = (
    "format default_index default_operator analyzer no_tokenize_indexes qrs_chain summary_profile trace rank_trace "
    "metrics_src sourceid result_compress inner_result_compress phase_one_task_queue phase_two_task_queue "
    "fetch_summary_cluster fetch_summary_group debug_query_key request_trace_type hit_summary_schema_cache_key "
    "cluster kvpairs no_summary use_cache allow_lack_summary dedup batch_score optimize_rank optimize_comparator "
    "ignore_delete rerank_hint cache_info get_all_sub_doc"
)
KEYS: dict[str, Key] = {
    **{name: Key(str) for name in _FREE.split()},
    "start": _count(HaCode.CONFIG_CLAUSE_START_VALUE),
    "hit": _count(HaCode.CONFIG_CLAUSE_HIT_VALUE),
    "searcher_return_hits": _count(HaCode.CONFIG_CLAUSE_HIT_VALUE),
    "actual_hits_limit": _count(HaCode.CONFIG_CLAUSE_HIT_VALUE),
    "rank_size": _count(HaCode.CONFIG_CLAUSE_RANKSIZE),
    "total_rank_size": _count(HaCode.CONFIG_CLAUSE_TOTALRANKSIZE),
    "rerank_size": _count(HaCode.CONFIG_CLAUSE_RERANKSIZE),
    "total_rerank_size": _count(HaCode.CONFIG_CLAUSE_TOTALRERANKSIZE),
    "timeout": _count(HaCode.CONFIG_CLAUSE_TIMEOUT),
    "seek_timeout": _count(HaCode.CONFIG_CLAUSE_TIMEOUT),
    "research_threshold": _count(HaCode.CONFIG_CLAUSE_RESEARCH_THRESHOLD),
    "fetch_summary_type": _one_of(HaCode.CONFIG_CLAUSE_FETCH_SUMMARY_TYPE, ("docid", "pk", "rawpk")),
    "join_type": _one_of(HaCode.CONFIG_CLAUSE_JOIN_TYPE, ("weak", "strong")),
    "sub_doc": _one_of(HaCode.CONFIG_CLAUSE_SUB_DOC_DISPLAY_TYPE, ("no", "group", "flat")),
    "version": Key(int64, HaCode.CONFIG_CLAUSE_VERSION, "a whole number of 64 bits"),
    "proto_format_option": _options(
        HaCode.CONFIG_CLAUSE_PROTO_FORMAT_OPTION, ("summary_in_bytes", "pb_matchdoc_format")
    ),
}

_QUIET = frozenset({"", "FATAL", "ERROR", "WARN"})


def parse_config(text: str, span: Span, remarks: list[Remark]) -> Config:
    """Raises RequestError 1002 for what is not ``key:value``, 1001 for no cluster, and each key's own code.

    Any format passes here, as in the engine; check_format() comes last of all.
    """
    values: dict[str, int | str] = {}
    spans: dict[str, Span] = {}
    clusters: dict[str, Text] = {}
    pairs: dict[str, Text] = {}
    for piece in pieces(text, span, ","):
        if not any(pieces(text, piece, ":")):
            remarks.append(Remark("a ':' with nothing beside it was dropped", HaCode.KEY_VALUE_PAIR, piece))
            continue
        key, value = pair(text, piece, ":", HaCode.KEY_VALUE_PAIR, "config")
        if key.text not in KEYS:
            message = f"config has no key {key.text[:80]!r}: ignored"
            remarks.append(Remark(message, HaCode.KEY_VALUE_PAIR, key.span))
            continue
        values[key.text], spans[key.text] = _read(KEYS[key.text], key.text, value), value.span
        if key.text == "cluster":
            clusters.update((name.text, name) for name in parse_config_clusters(text, value.span))
        elif key.text == "kvpairs":
            pairs.update(parse_config_kvpairs(text, value.span))
    _debug(values)
    return Config(values, spans, tuple(clusters.values()), pairs)


def check_format(config: Config) -> None:
    """Raises RequestError 1007 for a format that neither the engine nor the vendor's service knows."""
    if config.format is not None and config.format not in FORMATS:
        message = f"config format takes one of {', '.join(FORMATS)}, not {config.format[:80]!r}"
        raise RequestError(message, code=HaCode.UNSUPPORT_RESULT_FORMAT, span=config.spans.get("format"))


def _debug(values: dict[str, int | str]) -> None:
    """A debug query is traced and answered from the first row on, with its fields and without the cache."""
    if "debug_query_key" not in values:
        return
    for name in ("trace", "rank_trace"):
        if values.get(name, "") in _QUIET:
            values[name] = "INFO"
    values |= {"start": 0, "no_summary": "no", "use_cache": "no"}


def _read(key: Key, name: str, value: Text) -> int | str:
    found = key.read(value.text)
    if found is None:
        message = f"config {name} takes {key.expects}, not {value.text[:80]!r}"
        raise RequestError(message, code=key.code, span=value.span)
    return found
