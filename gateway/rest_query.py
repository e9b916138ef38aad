"""The query of POST /{table}/search as a JSON tree -> the text of a query clause.

The vendor documents a text; of the JSON that it also takes no page shows a form. This gateway's: ``{"AND": […]}``, OR,
ANDNOT and RANK over queries, and the leaves ``{"match": {index: value}}`` (or ``term``), ``{"phrase": {index: text}}``
and ``{"range": {index: {"gte": 1, "lt": 5}}}``. A value is a text, a number, or ``{"value": …, "boost": 50}``.
A text in the tree is a query as HA3 writes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.types import Span
from query_parser.nodes import Remark
from query_parser.query import parse_query

_OPERATORS = ("AND", "OR", "ANDNOT", "RANK")
_INDEX = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOW = {"gte": "[", "gt": "("}
_HIGH = {"lte": "]", "lt": ")"}


def query_clause(query: str | Mapping[str, Any]) -> str:
    """Raises RequestError 1051 naming the JSON path."""
    return query if isinstance(query, str) else _node(query, "query")


def _node(node: object, path: str) -> str:
    if isinstance(node, str):
        return f"({_whole(node, path)})"
    if not isinstance(node, dict) or len(node) != 1:
        raise _wrong(path, "a text, or an object with one key, is needed")
    ((key, value),) = node.items()
    inside = f"{path}.{key}"
    if key in _OPERATORS:
        return _joined(key, value, inside)
    match key:
        case "match" | "term":
            return _leaf(value, inside, "'")
        case "phrase":
            return _leaf(value, inside, '"')
        case "range":
            index, bounds = _index(value, inside)
            return f"{index}:{_range(bounds, f'{inside}.{index}')}"
    known = ", ".join((*_OPERATORS, "match", "term", "phrase", "range"))
    raise _wrong(inside, f"there is no such key; known: {known}")


def _joined(operator: str, items: object, path: str) -> str:
    if not isinstance(items, list) or not items:
        raise _wrong(path, "a list of queries is needed")
    return f"({f' {operator} '.join(_node(item, f'{path}.{place}') for place, item in enumerate(items))})"


def _whole(text: str, path: str) -> str:
    """A part of a tree has to stand for itself: what the engine drops of it would swallow its neighbours."""
    remarks: list[Remark] = []
    try:
        parse_query(text, Span(0, len(text)), remarks)
    except RequestError as error:
        raise RequestError(f"{path}: {error.message}", code=error.code) from None
    if remarks:
        raise _wrong(path, remarks[0].text)
    return text


def _leaf(value: object, path: str, quote: str) -> str:
    index, found = _index(value, path)
    inside = f"{path}.{index}"
    boost = ""
    if isinstance(found, dict):
        if found.keys() - {"value", "boost"} or "value" not in found:
            raise _wrong(inside, "an object here has a value and may have a boost")
        if "boost" in found:
            boost = f"^{_whole_number(found['boost'], f'{inside}.boost')}"
        found = found["value"]
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        raise _wrong(inside, "a text or a number is needed")
    text = str(found).replace("\\", "\\\\").replace(quote, f"\\{quote}")
    return f"{index}:{quote}{text}{quote}{boost}"


def _range(bounds: object, path: str) -> str:
    if not isinstance(bounds, dict) or not bounds or bounds.keys() - (_LOW.keys() | _HIGH.keys()):
        raise _wrong(path, f"an object with some of {', '.join((*_LOW, *_HIGH))} is needed")
    lows, highs = (sorted(bounds.keys() & ends.keys()) for ends in (_LOW, _HIGH))
    if len(lows) > 1 or len(highs) > 1:
        raise _wrong(path, "a range has one low and one high end")
    low, high = ("".join(str(_whole_number(bounds[key], f"{path}.{key}")) for key in keys) for keys in (lows, highs))
    opener, closer = _LOW[lows[0]] if lows else "(", _HIGH[highs[0]] if highs else ")"
    return f"{opener}{low},{high}{closer}"


def _index(value: object, path: str) -> tuple[str, Any]:
    if not isinstance(value, dict) or len(value) != 1:
        raise _wrong(path, "an object with one index is needed")
    ((index, found),) = value.items()
    if not isinstance(index, str) or _INDEX.fullmatch(index) is None:
        raise _wrong(path, f"{excerpt(repr(index))} is no name of an index")
    return index, found


def _whole_number(value: object, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(path, "a whole number is needed")
    return value


def _wrong(path: str, reason: str) -> RequestError:
    return RequestError(f"{excerpt(path)}: {reason}", code=HaCode.QUERY_CLAUSE)
