"""The config clause: ``key:value`` pairs, each key with its kind and the engine's code for a bad value."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clauses import pieces
from query_parser.nodes import Remark
from query_parser.request import Config

FORMATS = ("json", "fulljson", "xml")
_UINT32 = 2**32 - 1
_INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Key:
    """How a key's value is read; ``read`` returns None where the value is not one."""

    read: Callable[[str], int | str | None]
    code: HaCode = HaCode.KEY_VALUE_PAIR
    expects: str = "a text"


def _uint32(value: str) -> int | None:
    if not re.fullmatch(r"\+?[0-9]{1,20}", value):
        return None
    number = int(value)
    return number if number <= _UINT32 else None


def _int64(value: str) -> int | None:
    if not re.fullmatch(r"[+-]?[0-9]{1,20}", value):
        return None
    number = int(value)
    return number if -_INT64 <= number < _INT64 else None


def _count(code: HaCode) -> Key:
    return Key(_uint32, code, f"a whole number from 0 to {_UINT32}")


def _one_of(code: HaCode, choices: Sequence[str]) -> Key:
    return Key(lambda value: value if value in choices else None, code, f"one of {', '.join(choices)}")


def _options(code: HaCode, choices: Sequence[str]) -> Key:
    def read(value: str) -> str | None:
        parts = [part.strip() for part in value.split("&")]
        return value if all(part in choices for part in parts if part) else None

    return Key(read, code, f"{' & '.join(choices)}")


_FREE = (
    "default_index default_operator analyzer no_tokenize_indexes qrs_chain summary_profile trace rank_trace "
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
    "format": _one_of(HaCode.UNSUPPORT_RESULT_FORMAT, FORMATS),
    "fetch_summary_type": _one_of(HaCode.CONFIG_CLAUSE_FETCH_SUMMARY_TYPE, ("docid", "pk", "rawpk")),
    "join_type": _one_of(HaCode.CONFIG_CLAUSE_JOIN_TYPE, ("weak", "strong")),
    "sub_doc": _one_of(HaCode.CONFIG_CLAUSE_SUB_DOC_DISPLAY_TYPE, ("no", "group", "flat")),
    "version": Key(_int64, HaCode.CONFIG_CLAUSE_VERSION, "a whole number of 64 bits"),
    "proto_format_option": _options(
        HaCode.CONFIG_CLAUSE_PROTO_FORMAT_OPTION, ("summary_in_bytes", "pb_matchdoc_format")
    ),
}

_USED = frozenset({"start", "hit", "format", "cluster", "kvpairs", "default_index", "default_operator", "trace"})
_USUAL = frozenset({"fetch_summary_type", "qrs_chain"})
"""Without effect, but the vendor's samples send them with every request."""


def parse_config(text: str, span: Span, remarks: list[Remark]) -> Config:
    """Raises RequestError 1002 for what is not ``key:value``, and each key's own code for a bad value."""
    values: dict[str, int | str] = {}
    spans: dict[str, Span] = {}
    for pair in pieces(text, span, ","):
        parts = list(pieces(text, pair, ":"))
        shown = text[pair.start : pair.end]
        if len(parts) != 2:  # noqa: PLR2004 - a key and a value
            message = f"config takes key:value pairs, not {shown[:80]!r}"
            raise RequestError(message, code=HaCode.KEY_VALUE_PAIR, span=pair)
        name, value = (text[part.start : part.end] for part in parts)
        if name in KEYS:
            values[name], spans[name] = _read(KEYS[name], name, value, parts[1]), parts[1]
        else:
            remarks.append(Remark(f"config has no key {name!r}: ignored", HaCode.KEY_VALUE_PAIR, parts[0]))
    idle = [name for name in values if name not in _USED | _USUAL]
    if idle:
        message = f"config keys without effect here: {', '.join(idle)}"
        remarks.append(Remark(message, HaCode.KEY_VALUE_PAIR, spans[idle[0]], engine_takes=True))
    return Config(values, spans)


def _read(key: Key, name: str, value: str, span: Span) -> int | str:
    found = key.read(value)
    if found is None:
        raise RequestError(f"config {name} takes {key.expects}, not {value[:80]!r}", code=key.code, span=span)
    return found
