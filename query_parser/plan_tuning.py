"""Clauses without effect here, judged as the engine judges them."""

from __future__ import annotations

from collections.abc import Iterator

from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.types import Compare, Expr, Literal
from query_parser.clause_nodes import Layer, LayerRange
from query_parser.plan_expr import Expressions
from query_parser.request import HaRequest
from schemas.table import TableSchema

_KEYWORD = "%"


def check_rounds(request: HaRequest) -> None:
    """Raises RequestError 2501 for several rounds of rank_sort before a first distinct."""
    first = next(iter(request.distinct), None)
    if len(request.rank_sort) > 1 and first is not None:
        message = "several rounds of rank_sort and a first distinct exclude each other"
        code = HaCode.RANK_SORT_CLAUSE_AND_DISTINCT_CLAUSE_CONFLICT
        raise RequestError(message, code=code, span=first.span)


def cache_conditions(request: HaRequest, expressions: Expressions) -> Iterator[Expr]:
    """Conditions that hold if the searcher_cache clause makes sense to the schema.

    Raises RequestError 1020 for a filter that is none, 1021 for an unknown attribute to refresh.
    """
    cache = request.searcher_cache
    if cache is None:
        return
    if cache.expire_time is not None:
        value = expressions.value(cache.expire_time)
        if not isinstance(value, Literal):
            yield Compare(">", value, Literal(0, value.span), value.span)
    if cache.filter is not None:
        yield expressions.condition(cache.filter)
    schema = expressions.scope.schema
    for name in cache.refresh_attributes:
        if name not in schema.attribute_fields:
            message = f"searcher_cache refreshes {excerpt(name)!r}, which is no field"
            raise RequestError(message, code=HaCode.INVALID_REFRESH_ATTRIBUTE, span=cache.span)


def check_layers(layers: tuple[Layer, ...], schema: TableSchema) -> None:
    """Raises RequestError 2042 for a ``%`` range below 0, 2000 for an unknown field, 2041 for fields that stand apart.

    As ha3/qrs/LayerClauseValidator.cpp does, one rule over all layers before the next.
    """
    for layer in layers:
        for each in layer.ranges:
            _check_numbers(each)
    for layer in layers:
        for each in layer.ranges:
            if not each.name.startswith(_KEYWORD) and each.name not in schema.attribute_fields:
                message = f"no field {excerpt(each.name)!r}; the table has: {', '.join(schema.attribute_fields)}"
                raise RequestError(message, code=HaCode.ATTRIBUTE_NOT_EXIST, span=each.span)
    for layer in layers:
        places = [place for place, each in enumerate(layer.ranges) if not each.name.startswith(_KEYWORD)]
        if places and places[-1] - places[0] + 1 != len(places):
            message = "the fields of a layer stand side by side"
            span = layer.ranges[places[-1]].span
            raise RequestError(message, code=HaCode.LAYER_CLAUSE_ATTRIBUTE_NOT_SEQUENCE, span=span)


def _check_numbers(each: LayerRange) -> None:
    ends = [end for ends in each.ranges for end in ends if end is not None]
    if each.name.startswith(_KEYWORD) and any(number.startswith("-") for number in (*each.values, *ends)):
        message = f"the ranges of {each.name} begin at 0"
        raise RequestError(message, code=HaCode.RANGE_LESS_THAN_ZERO, span=each.span)
