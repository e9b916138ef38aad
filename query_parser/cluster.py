"""The cluster clause: ``name[:part_ids=0|1]`` or ``name[:hash_field=u1|u2]``, separated by commas."""

from __future__ import annotations

import re

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clauses import pieces, texts
from query_parser.nodes import Remark, Text
from query_parser.numbers import uint32

_PARTITIONS = 65_536
_ID_AND_RATIO = 2
_RATIO = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def parse_cluster(text: str, span: Span, remarks: list[Remark]) -> tuple[Text, ...]:
    """Names in order, doubles left out. Raises RequestError 2013, 2015, 2017, 2019, 1057, 1058, 1059."""
    names: dict[str, Text] = {}
    for entry in pieces(text, span, ","):
        parts = list(pieces(text, entry, ":"))
        if not 1 <= len(parts) <= _ID_AND_RATIO:
            raise _wrong(f"cluster takes name or name:part_ids=… , not {text[entry.start : entry.end][:80]!r}", entry)
        name = text[parts[0].start : parts[0].end]
        if "=" in name:
            message = f"cluster {name[:80]!r} has no name"
            raise _wrong(message, parts[0], HaCode.CLUSTER_NAME_NOT_EXIST_IN_CLUSTER_CLAUSE)
        for part in parts[1:]:
            mode = _partition(text, part)
            message = f"{mode} has no effect: tables have no partitions here"
            remarks.append(Remark(message, HaCode.CLUSTER_CLAUSE, part, engine_takes=True))
        names.setdefault(name, Text(name, parts[0]))
    if not names:
        raise _wrong("the cluster clause names no cluster", span)
    return tuple(names.values())


def parse_config_clusters(text: str, span: Span) -> tuple[Text, ...]:
    """``a&b`` as in config's key cluster. Raises RequestError 1001 where none is named."""
    names = {text[piece.start : piece.end]: piece for piece in pieces(text, span, "&")}
    if not names:
        raise _wrong("config cluster names no cluster", span, HaCode.CLUSTER_NAME_NOT_EXIST)
    return tuple(Text(name, where) for name, where in names.items())


def _partition(text: str, part: Span) -> str:
    """The mode, once its value is what it may be."""
    halves = list(pieces(text, part, "="))
    if len(halves) != 2:  # noqa: PLR2004 - a mode and its value
        message = f"expected part_ids=… or hash_field=…, not {text[part.start : part.end][:80]!r}"
        raise _wrong(message, part, HaCode.CLUSTER_PART_MODE_CONFIG)
    mode = text[halves[0].start : halves[0].end]
    values = list(pieces(text, halves[1], "|"))
    match mode:
        case "part_ids":
            _check_ids(text, halves[1], values)
        case "hash_field":
            if not values:
                raise _wrong("hash_field is empty", part, HaCode.HASH_MODE_EMPTY_FIELD)
            for value in values:
                _fields(text, value)
        case _:
            message = f"unknown partition mode {mode[:80]!r}; known: part_ids, hash_field"
            raise _wrong(message, halves[0], HaCode.CLUSTER_PART_MODE_NAME)
    return mode


def _check_ids(text: str, span: Span, values: list[Span]) -> None:
    if not values:
        raise _wrong("part_ids is empty", span, HaCode.PART_MODE_INVALID_PARTID)
    for value in values:
        fields = _fields(text, value)
        number = uint32(fields[0]) if fields else None
        if number is None or number >= _PARTITIONS:
            message = f"part_ids takes numbers from 0 to {_PARTITIONS - 1}, not {text[value.start : value.end][:80]!r}"
            raise _wrong(message, value, HaCode.PART_MODE_INVALID_PARTID)
        if len(fields) == _ID_AND_RATIO and not (_RATIO.fullmatch(fields[1]) and 0 <= float(fields[1]) <= 1):
            message = f"the share of a partition is a number from 0 to 1, not {fields[1][:80]!r}"
            raise _wrong(message, value, HaCode.HASH_MODE_INVALID_FIELD)


def _fields(text: str, value: Span) -> tuple[str, ...]:
    """What stands between ``#``."""
    fields = texts(text, value, "#")
    if len(fields) > _ID_AND_RATIO:
        message = f"at most one '#' may stand in {text[value.start : value.end][:80]!r}"
        raise _wrong(message, value, HaCode.HASH_MODE_INVALID_FIELD)
    return fields


def _wrong(message: str, span: Span, code: HaCode = HaCode.CLUSTER_CLAUSE) -> RequestError:
    return RequestError(message, code=code, span=span)
