"""The searcher_cache clause: hints for the engine's own cache."""

from __future__ import annotations

from collections.abc import Callable

from havengate.codes import HaCode
from havengate.types import Span
from query_parser.clause_nodes import SearcherCache
from query_parser.descriptions import Reader, choice_reader, meaningless, read_description
from query_parser.expr import expression
from query_parser.nodes import Remark
from query_parser.numbers import uint32, uint64
from query_parser.tokens import END, Tokens

_OLD_PARTS = 3


def parse_searcher_cache(text: str, span: Span, remarks: list[Remark]) -> SearcherCache:
    """Raises RequestError 2200."""
    tokens = Tokens(text, span, HaCode.CACHE_CLAUSE, remarks)
    values = read_description(tokens, _READERS)
    if tokens.kind != END:
        raise tokens.unexpected()
    return SearcherCache(span=span, **{_FIELDS.get(name, name): value for name, value in values.items()})


def _number(read: Callable[[str], int | None], what: str) -> Reader:
    def reader(tokens: Tokens) -> int:
        source = tokens.take("integer")
        found = read(source)
        if found is None:
            raise meaningless(tokens, HaCode.CACHE_CLAUSE, f"{what} is out of range: {source[:40]}")
        return found

    return reader


def _limits(tokens: Tokens) -> tuple[int, ...]:
    """``200;700``, or the old form ``3000;100#200;300#700`` of which the numbers behind ``#`` count."""
    parts = [[tokens.take("integer")]]
    while tokens.kind in (";", "#"):
        if tokens.accept(";"):
            parts.append([tokens.take("integer")])
        else:
            tokens.at += 1
            parts[-1].append(tokens.take("integer"))
    old = len(parts) == _OLD_PARTS and all(len(part) > 1 for part in parts[1:])
    read = parts[1:] if old else parts
    numbers = [[uint32(source) for source in part] for part in read]
    found = [part[-1] for part in numbers if len(part) == 1 + old and None not in part]
    limits = [number for number in found if number is not None]
    if len(limits) != len(read):
        raise meaningless(tokens, HaCode.CACHE_CLAUSE, "cache_doc_num_limit takes whole numbers below 2^32")
    return tuple(sorted(limits))


def _attributes(tokens: Tokens) -> tuple[str, ...]:
    names = [tokens.identifier()]
    while tokens.accept(";"):
        names.append(tokens.identifier())
    return tuple(dict.fromkeys(names))


_READERS: dict[str, Reader] = {
    "use": choice_reader(HaCode.CACHE_CLAUSE, "use", {"yes": True, "no": False}),
    "key": _number(uint64, "key"),
    "cur_time": _number(uint32, "cur_time"),
    "expire_time": expression,
    "cache_filter": expression,
    "cache_doc_num_limit": _limits,
    "refresh_attributes": _attributes,
}
_FIELDS = {"cur_time": "current_time", "cache_filter": "filter", "cache_doc_num_limit": "doc_num_limits"}
