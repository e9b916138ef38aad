"""Calls in filters, sorts and the like as what the plan has for them.

Numbers of arguments are those of havenask (suez/turing/expression/function) and, for distance, in_polygon and fieldlen,
of the vendor's pages on functionality functions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.types import (
    Arith,
    Call,
    Compare,
    Exists,
    Expr,
    Field,
    FunctionName,
    In,
    InPolygon,
    Literal,
    Not,
    Operand,
    Or,
    Span,
)
from query_parser import nodes
from query_parser.nodes import Text
from schemas.table import FieldType, TableSchema

Planned = Operand | Expr
MAX_VALUES = 10_000
"""A value takes two characters of a request, and each is typed and compared on its own."""
MAX_LISTED = 65_536
"""Of one in(), doubles included: as many as a clause may have parts."""
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_TEXTS = ("to_string", "string_replace")
_POINT = 4


@dataclass(slots=True)
class Scope:
    """What an expression is planned against.

    clock   seconds since 1970; looked at once, so that a request has one time
    values  how many the in() of the request have together: many short ones cost what a long one does
    """

    schema: TableSchema
    kvpairs: Mapping[str, Text]
    clock: Callable[[], float]
    values: int = 0
    notes: list[str] = field(default_factory=list)
    _moments: list[Literal] = field(default_factory=list)
    _now: int | None = None

    def moment(self, span: Span) -> Literal:
        if self._now is None:
            self._now = int(self.clock())
        return self.computed(self._now, span)

    def computed(self, value: float, span: Span | None) -> Literal:
        """A number that the clock had a part in: unlike a constant it may stand beside one."""
        found = Literal(value, span)
        self._moments.append(found)
        return found

    def is_moment(self, operand: Planned) -> bool:
        return any(operand is each for each in self._moments)

    def always(self, truth: bool, span: Span | None) -> Expr:
        """A condition that holds for every row, or for none: every row has its key."""
        there = Exists(Field(self.schema.primary_key, span=span), span)
        return there if truth else Not(there, span)


@dataclass(frozen=True, slots=True)
class _Function:
    least: int
    most: int
    takes: str
    plan: Callable[[nodes.Call, tuple[Planned, ...], Scope], Planned]


def plan_call(call: nodes.Call, arguments: tuple[Planned, ...], scope: Scope) -> Planned:
    """A call of planned arguments. Raises RequestError 2100, 2101, 2001, 2002, 1052 over MAX_VALUES."""
    function = _FUNCTIONS.get(call.function)
    if function is None:
        message = f"no function {excerpt(call.function)}; known: {', '.join(_FUNCTIONS)}"
        raise RequestError(message, code=HaCode.FUNCTION_NOT_DEFINED, span=call.span)
    if not function.least <= len(arguments) <= function.most:
        message = f"{call.function}() takes {function.takes}; it has {len(arguments)} arguments"
        raise RequestError(message, code=HaCode.FUNCTION_ARGCOUNT, span=call.span)
    return function.plan(call, arguments, scope)


def operand(planned: Planned, span: Span, code: HaCode = HaCode.EXPRESSION_LR_TYPE_NOT_MATCH) -> Operand:
    """Raises RequestError ``code`` for a condition."""
    if isinstance(planned, Field | Literal | Arith | Call):
        return planned
    raise RequestError("this is a condition, a value is needed", code=code, span=span)


def _computing(call: nodes.Call, arguments: tuple[Planned, ...], _scope: Scope) -> Call:
    found = tuple(operand(each, node.span) for each, node in zip(arguments, call.arguments, strict=True))
    return Call(cast("FunctionName", call.function), found, call.span)


def _now(call: nodes.Call, _arguments: tuple[Planned, ...], scope: Scope) -> Literal:
    return scope.moment(call.span)


# --- a value among others ------------------------------------------------------------------------


def _member(call: nodes.Call, arguments: tuple[Planned, ...], scope: Scope, *, inside: bool) -> Expr:
    """``in(value, "a|b"[, separator])``; texts stay texts until a schema types them."""
    sought = operand(arguments[0], call.arguments[0].span)
    if isinstance(sought, Literal):
        message = f"{call.function}() looks for the value of a field, this is a constant"
        raise RequestError(message, code=HaCode.EXPRESSION_LR_ALL_CONST_VALUE, span=sought.span)
    separator = _text(call, arguments, 2) if len(arguments) > 2 else "|"  # noqa: PLR2004 - the third one
    listed, where = _text(call, arguments, 1), call.arguments[1].span
    if not separator:
        empty = call.arguments[2].span
        raise RequestError("the separator is empty", code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, span=empty)
    few = listed.count(separator) < MAX_LISTED
    values = list(dict.fromkeys(filter(None, map(str.strip, listed.split(separator))))) if few else []
    scope.values += len(values)
    if scope.values > MAX_VALUES or not few:
        message = f"the request has more than {MAX_VALUES} values inside {call.function}()"
        raise RequestError(message, code=HaCode.FILTER_CLAUSE, span=where)
    found = _among(sought, values, where, call.span, scope)
    return found if inside else Not(found, call.span)


def _among(sought: Field | Arith | Call, values: list[str], where: Span, span: Span, scope: Scope) -> Expr:
    if isinstance(sought, Field):
        spec = scope.schema.fields.get(sought.name)
        keyed = spec is not None and spec.type is FieldType.MAP
        return In(sought, _literals(values, where, numbers=keyed), span)
    if not values:
        # False, but missing where the value is: so notin() of nothing, too, leaves such rows out.
        return Compare("!=", sought, sought, span)
    text = isinstance(sought, Call) and sought.name in _TEXTS
    literals = [Literal(value if text else _typed(value, where), where) for value in values]
    return Or(tuple(Compare("=", sought, literal, span) for literal in literals), span)


def _literals(values: list[str], where: Span, *, numbers: bool) -> tuple[Literal, ...]:
    """``numbers``: a key of a MAP holds the text "7" or the number 7, and both are meant."""
    texts = tuple(Literal(value, where) for value in values)
    if not numbers:
        return texts
    return (*texts, *(Literal(_typed(value, where), where) for value in values if _NUMBER.fullmatch(value)))


def _typed(value: str, where: Span) -> int | float:
    if not _NUMBER.fullmatch(value):
        message = f"{excerpt(value)!r} is no number"
        raise RequestError(message, code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, span=where)
    return float(value) if "." in value else int(value)


def _text(call: nodes.Call, arguments: tuple[Planned, ...], place: int) -> str:
    found = arguments[place]
    if isinstance(found, Literal) and isinstance(found.value, str):
        return found.value
    message = f'{call.function}() takes its values as one text: "value|value"'
    raise RequestError(message, code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, span=call.arguments[place].span)


# --- places --------------------------------------------------------------------------------------


def _distance(call: nodes.Call, arguments: tuple[Planned, ...], scope: Scope) -> Call:
    """``distance(lon, lat, lon, lat[, name])``: the name is the vendor's for formulas and has no use here."""
    if len(arguments) > _POINT:
        scope.notes.append("the output name of distance() has no effect here")
    return Call("distance", tuple(_coordinate(call, arguments, place, scope) for place in range(_POINT)), call.span)


def _in_polygon(call: nodes.Call, arguments: tuple[Planned, ...], scope: Scope) -> InPolygon:
    """``in_polygon(polygon, x, y[, "false"])``: several polygons in one field are not in this version."""
    polygon = arguments[0]
    if not isinstance(polygon, Field):
        message = "in_polygon() takes a field with the corners of a polygon first"
        raise RequestError(message, code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, span=call.arguments[0].span)
    if len(arguments) == _POINT and _text(call, arguments, 3) != "false":
        message = "several polygons in one field are not in this version"
        raise RequestError(message, code=HaCode.FUNCTION_ARGCOUNT, span=call.arguments[3].span)
    return InPolygon(
        _coordinate(call, arguments, 1, scope), _coordinate(call, arguments, 2, scope), polygon, False, call.span
    )


def _coordinate(call: nodes.Call, arguments: tuple[Planned, ...], place: int, scope: Scope) -> Operand:
    """A number; the vendor's samples write it as a text, or as the name of one of the kvpairs."""
    node = call.arguments[place]
    found = operand(arguments[place], node.span)
    if isinstance(found, Field) and found.path is None and found.name not in scope.schema.fields:
        pair = scope.kvpairs.get(found.name)
        found = found if pair is None else Literal(pair.text, pair.span)
    if not isinstance(found, Literal) or not isinstance(found.value, str):
        return found
    number = _finite(found.value)
    if number is None:
        message = f"{call.function}() takes numbers, not {excerpt(found.value)!r}"
        raise RequestError(message, code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, span=node.span)
    return Literal(number, found.span)


def _finite(text: str) -> float | None:
    """Python's float would also take underscores and other scripts' digits."""
    try:
        number = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


_LISTED = 'a field and "value|value"'
_SEPARATED = f"{_LISTED}, and a separator if it is not |"
_FUNCTIONS: Mapping[str, _Function] = {
    "in": _Function(2, 2, _LISTED, partial(_member, inside=True)),
    "notin": _Function(2, 2, _LISTED, partial(_member, inside=False)),
    "ha_in": _Function(2, 3, _SEPARATED, partial(_member, inside=True)),
    "not_ha_in": _Function(2, 3, _SEPARATED, partial(_member, inside=False)),
    "contain": _Function(2, 3, _SEPARATED, partial(_member, inside=True)),
    "pow": _Function(2, 2, "a base and an exponent", _computing),
    "log": _Function(2, 2, "two numbers", _computing),
    "fieldlen": _Function(1, 1, "a field", _computing),
    "to_string": _Function(1, 1, "a value", _computing),
    "string_replace": _Function(3, 3, "a text, what to replace in it, and by what", _computing),
    "distance": _Function(_POINT, 5, "two points: longitude, latitude, longitude, latitude", _distance),
    "in_polygon": _Function(3, _POINT, "a field with a polygon, x and y", _in_polygon),
    "currentTimeInSeconds": _Function(0, 0, "nothing", _now),
}
