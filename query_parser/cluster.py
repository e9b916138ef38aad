"""The cluster clause: ``name[:part_ids=0|1]`` or ``name[:hash_field=u1|u2]``, separated by commas."""

from __future__ import annotations

import re

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clauses import pieces
from query_parser.nodes import Remark, Text

_PARTITIONS = 65536
_NAME_AND_PART = 2


def parse_cluster(text: str, span: Span, remarks: list[Remark]) -> tuple[Text, ...]:
    """Names in order, doubles left out. Raises RequestError 2013, 2015, 2017, 2019, 1057, 1058."""
    names: dict[str, Text] = {}
    for entry in pieces(text, span, ","):
        parts = list(pieces(text, entry, ":"))
        if not 1 <= len(parts) <= _NAME_AND_PART:
            raise _wrong(f"cluster takes name or name:part_ids=… , not {text[entry.start : entry.end]!r}", entry)
        name = text[parts[0].start : parts[0].end]
        if "=" in name:
            message = f"cluster {name!r} has no name"
            raise RequestError(message, code=HaCode.CLUSTER_NAME_NOT_EXIST_IN_CLUSTER_CLAUSE, span=parts[0])
        remarks.extend(_partition(text, part) for part in parts[1:])
        names.setdefault(name, Text(name, parts[0]))
    if not names:
        raise _wrong("the cluster clause names no cluster", span)
    return tuple(names.values())


def parse_config_clusters(text: str, span: Span) -> tuple[Text, ...]:
    """``a&b`` as in config's key cluster."""
    names = {text[piece.start : piece.end]: piece for piece in pieces(text, span, "&")}
    return tuple(Text(name, where) for name, where in names.items())


def _partition(text: str, part: Span) -> Remark:
    mode, equals, value = text[part.start : part.end].partition("=")
    values = [piece for piece in value.split("|") if piece.strip()]
    if not equals or not value.strip() or "=" in value:
        message = f"expected part_ids=… or hash_field=…, not {text[part.start : part.end]!r}"
        raise RequestError(message, code=HaCode.CLUSTER_PART_MODE_CONFIG, span=part)
    match mode.strip():
        case "part_ids":
            if not values or not all(_is_partition(piece.strip()) for piece in values):
                message = f"part_ids takes numbers from 0 to {_PARTITIONS - 1}, not {value!r}"
                raise RequestError(message, code=HaCode.PART_MODE_INVALID_PARTID, span=part)
        case "hash_field":
            if not values:
                raise RequestError("hash_field is empty", code=HaCode.HASH_MODE_EMPTY_FIELD, span=part)
        case other:
            message = f"unknown partition mode {other!r}; known: part_ids, hash_field"
            raise RequestError(message, code=HaCode.CLUSTER_PART_MODE_NAME, span=part)
    return Remark(f"{mode.strip()} has no effect: tables have no partitions here", HaCode.CLUSTER_CLAUSE, part)


def _is_partition(value: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", value) is not None and int(value) < _PARTITIONS


def _wrong(message: str, span: Span) -> RequestError:
    return RequestError(message, code=HaCode.CLUSTER_CLAUSE, span=span)
