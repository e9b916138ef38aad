"""What a request says about the shape of its answer, for both formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gateway.values import finite, scalar_text, short_floats, text, vector_text
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.expr import operand_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from havengate.types import (
        Aggregate,
        Group,
        Hit,
        SearchPlan,
        SearchResult,
        SortKey,
        Value,
    )
    from query_parser.request import Config, HaRequest

Format = Literal["json", "xml"]
DEFAULT_FORMAT: Format = "xml"
"""The engine's, for a request that names none."""
_FORMATS: Mapping[str, Format] = {"json": "json", "fulljson": "json", "xml": "xml"}
_NO_TRACE = frozenset({"NONE", "DISABLE", "FATAL", "ERROR", "WARN"})
"""Levels above what a good answer has to tell."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The parts of an answer that a request decides.

    ``attributes`` are the names in its attribute clause. Without ``summary`` hits come without their fields.
    """

    table: str = ""
    attributes: tuple[str, ...] = ()
    sort: tuple[SortKey, ...] = ()
    start: int = 0
    trace: bool = False
    summary: bool = True
    notes: tuple[str, ...] = ()


def wanted_by(request: HaRequest, plan: SearchPlan) -> Wanted:
    return Wanted(
        table=plan.table,
        attributes=tuple(name.text for name in request.attributes),
        sort=plan.sort,
        start=plan.offset,
        trace=traced(request.config),
        summary=not request.config.flag("no_summary", default=False),
        notes=plan.notes,
    )


def traced(config: Config) -> bool:
    """Whether the request asks for a trace, at any level at which a good answer has something to tell."""
    level = config.text("trace")
    return level is not None and level.upper() not in _NO_TRACE


def format_of(config: Config, default: Format) -> Format:
    """Raises RequestError 1007 for a format that the gateway does not write."""
    name = config.format
    if name is None:
        return default
    if name not in _FORMATS:
        message = f"format is one of {', '.join(_FORMATS)}, not {name[:80]!r}"
        raise RequestError(message, code=HaCode.UNSUPPORT_RESULT_FORMAT, span=config.spans.get("format"))
    return _FORMATS[name]


def asked_format(request: str) -> Format:
    """The format that a request names, also one that cannot be parsed. As the engine has it, the last clause wins."""
    for clause in reversed(request.split("&&")):
        key, _, pairs = clause.partition("=")
        if key.strip() == "config":
            named = [pair.partition(":")[2].strip() for pair in pairs.split(",") if _is_format(pair)]
            return _FORMATS.get(named[-1], DEFAULT_FORMAT) if named else DEFAULT_FORMAT
    return DEFAULT_FORMAT


def _is_format(pair: str) -> bool:
    return pair.partition(":")[0].strip() == "format"


# --- parts of a result ---------------------------------------------------------------------------


def field_texts(hit: Hit) -> dict[str, str]:
    fields = {name: text(value) for name, value in hit.fields.items()}
    return fields | {name: vector_text(vector) for name, vector in hit.vectors.items()}


def attribute_values(hit: Hit, names: Sequence[str]) -> dict[str, list[Any]]:
    """Typed values by name, always in a list: fields, vectors and virtual attributes that the clause names."""
    block: dict[str, list[Any]] = {}
    for name in names:
        if name in hit.vectors:
            block[name] = short_floats(hit.vectors[name])
        elif name in hit.fields or name in hit.variables:
            block[name] = value_list(hit.fields[name] if name in hit.fields else hit.variables[name])
    return block


def variable_values(hit: Hit) -> dict[str, list[Any]]:
    return {name: value_list(value) for name, value in hit.variables.items()}


def value_list(value: Value) -> list[Any]:
    """A MAP is one value. Computed numbers may be infinite, which JSON cannot say."""
    if isinstance(value, dict):
        return [value]
    return [finite(item) for item in (value if isinstance(value, list) else [value])]


def sort_meta(sort: Sequence[SortKey]) -> str:
    """``+RANK;-id``, as the engine's SortExprMeta."""
    return ";".join(
        ("-" if key.descending else "+") + ("RANK" if key.by is None else operand_text(key.by)) for key in sort
    )


def group_key(aggregate: Aggregate) -> str:
    """The engine writes several keys as ``[a, b]`` (MultiSyntaxExpr.h)."""
    keys = [operand_text(key) for key in aggregate.keys]
    return keys[0] if len(keys) == 1 else f"[{', '.join(keys)}]"


def group_value(group: Group) -> str:
    return ", ".join(scalar_text(key) for key in group.keys)


def trace_lines(result: SearchResult, notes: Sequence[str]) -> list[str]:
    """Milliseconds by stage, what cut the pools, what the request says that has no effect, and warnings."""
    lines = [f"{stage}: {1000 * seconds:.3f} ms" for stage, seconds in result.timings.items()]
    for proof in result.certificates:
        cut = "" if proof.cut_by is None else f", cut by {proof.cut_by}"
        lines.append(
            f"index {proof.index}: {proof.requested} asked for, {proof.matched} match, "
            f"{proof.returned} returned ({proof.strategy}){cut}"
        )
    lines += [f"no effect: {note}" for note in notes]
    return lines + [f"warning: {warning}" for warning in result.warnings]
