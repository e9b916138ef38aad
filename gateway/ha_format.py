"""SearchResult -> the JSON that HA clients parse.

The vendor's body for format:json (document 465193), with the other editions' names beside its own
(totalHits and total, numHits and num, viewtotal, status, request_id), since programs are found that read either.
``errors`` is always there: clients index it without asking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.plan_api import certificate_to_json
from gateway.values import finite, function_text, scalar_text, sort_text
from gateway.wanted import (
    Wanted,
    attribute_values,
    field_texts,
    group_key,
    group_value,
    trace_lines,
    variable_values,
)

if TYPE_CHECKING:
    from havengate.errors import HavengateError
    from havengate.types import Aggregate, Aggregation, Certificate, Hit, SearchResult

Json = dict[str, Any]


def answer_body(result: SearchResult, wanted: Wanted, *, request_id: str, seconds: float) -> Json:
    """A good answer. ``seconds`` is the time spent on the whole request."""
    inner = _result([_item(hit, wanted) for hit in result.hits], result.total, seconds) | {
        "facet": [_facet(aggregation) for aggregation in result.aggregations],
        "certificate": _certificate(result.certificates),
        "warnings": list(result.warnings),
    }
    tracer = "\n".join(trace_lines(result, wanted.notes)) if wanted.trace else ""
    return _envelope("OK", request_id, inner, [], tracer)


def error_body(error: HavengateError, source: str, *, request_id: str, seconds: float) -> Json:
    """One error (the engine reports the first), over a result so empty that clients can still index it."""
    entry: Json = {"code": int(error.code), "name": error.name, "message": error.pointed(source)}
    if error.span is not None:
        entry["span"] = [error.span.start, error.span.end]
    inner = _result([], 0, seconds) | {"facet": [], "certificate": None, "warnings": []}
    return _envelope("ERROR", request_id, inner, [entry], "")


def _envelope(status: str, request_id: str, result: Json, errors: list[Json], trace: str) -> Json:
    return {"status": status, "request_id": request_id, "result": result, "errors": errors, "tracer": trace}


def _result(items: list[Json], total: int, seconds: float) -> Json:
    return {
        "searchtime": round(seconds, 6),
        "totalHits": total,
        "total": total,
        "viewtotal": total,
        "numHits": len(items),
        "num": len(items),
        "coveredPercent": 100.0,
        "items": items,
    }


def _item(hit: Hit, wanted: Wanted) -> Json:
    """Fields that a row lacks are left out, as are blocks without values, but never ``fields``."""
    # The vendor's distance, which sortExprValues lack where the request has no formula.
    item: Json = {"fields": field_texts(hit) if wanted.summary else {}, "property": {}, "score": finite(hit.score)}
    if wanted.attributes:
        item["attribute"] = attribute_values(hit, wanted.attributes)
    if hit.variables:
        item["variableValue"] = variable_values(hit)
    return item | {"sortExprValues": [sort_text(value) for value in hit.sort_values], "tracerInfo": ""}


def _facet(found: Aggregation) -> Json:
    """Every value is text, as on the vendor's page; a function without a value in a group is left out of it."""
    names = function_keys(found.aggregate)
    return {
        "key": group_key(found.aggregate),
        "items": [
            {"value": group_value(group)}
            | {name: scalar_text(value) for name, value in zip(names, group.values, strict=True) if value is not None}
            for group in found.groups
        ],
    }


def function_keys(aggregate: Aggregate) -> list[str]:
    """What the values of a group are called: ``sum``, and for the second sum of an aggregate ``sum(price)``."""
    taken: set[str] = set()
    keys = []
    for function in aggregate.functions:
        keys.append(function_text(function) if function.name in taken else function.name)
        taken.add(function.name)
    return keys


def _certificate(certificates: tuple[Certificate, ...]) -> Json | list[Json] | None:
    """An object for one vector term, a list for several, null for a search without one."""
    bodies = [certificate_to_json(certificate) for certificate in certificates]
    return bodies if len(bodies) > 1 else next(iter(bodies), None)
