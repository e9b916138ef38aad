"""Clauses of the query DSL, put together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Clause = dict[str, Any]

NONE: Clause = {"match_none": {}}
MOST_TERMS = 65_536
"""Values of one terms clause: index.max_terms_count."""


def all_of(clauses: Iterable[Clause]) -> Clause:
    flat = [part for clause in clauses for part in _parts(clause, "filter")]
    if NONE in flat:
        return NONE
    return flat[0] if len(flat) == 1 else {"bool": {"filter": flat}}


def any_of(clauses: Iterable[Clause]) -> Clause:
    """Equalities of one field become one clause: the cluster counts clauses, and allows 1,024."""
    flat = [part for clause in clauses for part in _parts(clause, "should")]
    merged = list(_merged([part for part in flat if part != NONE]))
    if not merged:
        return NONE
    return merged[0] if len(merged) == 1 else {"bool": {"should": merged}}


def at_least(clauses: Sequence[Clause], count: int) -> Clause:
    """Holds where ``count`` of the clauses do, or more; one that stands there twice counts twice."""
    possible = [clause for clause in clauses if clause != NONE]
    if count <= 0:
        return {"match_all": {}}
    if count > len(possible):
        return NONE
    return {"bool": {"should": possible, "minimum_should_match": count}}


def one_of(field: str, values: Sequence[Any]) -> Clause:
    """``field`` equals one of the values."""
    if len(values) == 1:
        return {"term": {field: values[0]}}
    parts = [values[start : start + MOST_TERMS] for start in range(0, len(values), MOST_TERMS)]
    clauses = [{"terms": {field: list(part)}} for part in parts]
    if not clauses:
        return NONE
    return clauses[0] if len(clauses) == 1 else {"bool": {"should": clauses}}


def but_not(present: Clause, clause: Clause) -> Clause:
    """``present`` and not ``clause``."""
    if clause == NONE:
        return present
    return {"bool": {"filter": [present], "must_not": [clause]}}


def exists(field: str) -> Clause:
    return {"exists": {"field": field}}


def script(source: str, params: dict[str, Any]) -> Clause:
    return {"script": {"script": {"lang": "painless", "source": source, "params": params}}}


def _parts(clause: Clause, kind: str) -> list[Clause]:
    inner = clause.get("bool")
    if inner is not None and inner.keys() == {kind}:
        parts: list[Clause] = inner[kind]
        return parts
    return [clause]


def _merged(clauses: Sequence[Clause]) -> Iterator[Clause]:
    values: dict[str, list[Any]] = {}
    for clause in clauses:
        if "term" in clause:
            ((field, value),) = clause["term"].items()
            values.setdefault(field, []).append(value)
        elif "terms" in clause:
            ((field, several),) = clause["terms"].items()
            values.setdefault(field, []).extend(several)
        else:
            yield clause
    for field, several in values.items():
        yield from _parts(one_of(field, list(dict.fromkeys(several))), "should")
