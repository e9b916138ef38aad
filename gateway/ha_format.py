"""SearchResult -> the JSON that HA clients parse.

The vendor's body for format:json (document 465193), with the other editions' names beside its own
(totalHits and total, numHits and num, viewtotal, status, request_id), since programs are found that read either.
``errors`` is always there: clients index it without asking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.plan_api import certificate_to_json
from gateway.values import short_floats, sort_text, text, vector_text

if TYPE_CHECKING:
    from havengate.errors import HavengateError
    from havengate.types import Certificate, Hit, SearchResult

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a request decides the answer's shape: names in its attribute clause, and whether it asked for a trace."""

    attributes: tuple[str, ...] = ()
    trace: bool = False
    warnings: tuple[str, ...] = ()


def answer_body(result: SearchResult, wanted: Wanted, *, request_id: str, seconds: float) -> Json:
    """A good answer. ``seconds`` is the time spent on the whole request."""
    items = [_item(hit, wanted.attributes) for hit in result.hits]
    inner = _result(items, result.total, seconds) | {
        "certificate": _certificate(result.certificates),
        "warnings": [*wanted.warnings, *result.warnings],
    }
    return _envelope("OK", request_id, inner, [], _trace(result.timings) if wanted.trace else "")


def error_body(error: HavengateError, source: str, *, request_id: str, seconds: float) -> Json:
    """One error (the engine reports the first), over a result so empty that clients can still index it."""
    entry: Json = {"code": int(error.code), "message": error.pointed(source)}
    if error.span is not None:
        entry["span"] = [error.span.start, error.span.end]
    inner = _result([], 0, seconds) | {"certificate": None, "warnings": []}
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
        "facet": [],
    }


def _item(hit: Hit, attributes: Sequence[str]) -> Json:
    """Fields that a row does not have are left out; the attribute block stands only where the clause asked."""
    fields = {name: text(value) for name, value in hit.fields.items()}
    fields |= {name: vector_text(vector) for name, vector in hit.vectors.items()}
    # The vendor's distance, which sortExprValues lack where the request has no formula.
    item: Json = {"fields": fields, "property": {}, "score": hit.score}
    if attributes:
        item["attribute"] = _attributes(hit, attributes)
    return item | {"sortExprValues": [sort_text(value) for value in hit.sort_values], "tracerInfo": ""}


def _attributes(hit: Hit, names: Sequence[str]) -> Json:
    """Typed values, always in an array."""
    block: Json = {}
    for name in names:
        if name in hit.vectors:
            block[name] = short_floats(hit.vectors[name])
        elif name in hit.fields:
            value = hit.fields[name]
            block[name] = value if isinstance(value, list) else [value]
    return block


def _certificate(certificates: tuple[Certificate, ...]) -> Json | list[Json] | None:
    """An object for one vector term, a list for several, null for a search without one."""
    bodies = [certificate_to_json(certificate) for certificate in certificates]
    return bodies if len(bodies) > 1 else next(iter(bodies), None)


def _trace(timings: Mapping[str, float]) -> str:
    return "\n".join(f"{stage}: {1000 * seconds:.3f} ms" for stage, seconds in timings.items())
