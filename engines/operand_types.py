"""What an operand gives, and what no operand may be: one set of refusals for binding and for every engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engines.checks import ARITHMETIC, BITS, DEEPEST, integer_of_64_bits, require_literal, spec_of
from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.functions import FUNCTIONS, ArgumentKind, ResultKind
from havengate.types import Arith, Call, Compare, Field, InPolygon, Literal, Operand, Span, operand_text
from schemas.table import FieldSpec, FieldType

if TYPE_CHECKING:
    from schemas.table import TableSchema

_RESULTS: dict[ResultKind, FieldType] = {
    "integer": FieldType.INT64,
    "real": FieldType.FLOAT,
    "text": FieldType.STRING,
}
_CORNERS = 3
CALL_LEVELS = 4
"""A function is as deep as so many operators: polars types all that is inside one anew for each one around it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """``field`` finds a field, ``literal`` looks at a constant; both raise RequestError."""

    field: Callable[[Field], FieldSpec]
    literal: Callable[[Literal], None]
    deepest: int = DEEPEST
    depth: int = 0

    def inside(self, operand: Arith | Call) -> Rules:
        return replace(self, depth=self.depth + (1 if isinstance(operand, Arith) else CALL_LEVELS))


def engine_rules(schema: TableSchema) -> Rules:
    """What is true of any table: the last guard, whoever the caller is."""
    return Rules(lambda field: spec_of(field, schema), lambda literal: require_literal(literal.value))


def operand_spec(operand: Operand, rules: Rules) -> FieldSpec:
    """The field itself, or what is computed as a field of one INT64, FLOAT, DOUBLE or STRING.

    Raises RequestError 1052 for what nests too deep and for an unknown operator, 2000 to 2011 for types, 2100 and 2101.
    """
    spec = _spec(operand, rules)
    return spec if isinstance(operand, Field) else replace(spec, name=_shown(operand))


def _spec(operand: Operand, rules: Rules) -> FieldSpec:
    """Without a name where no field gives it: a text of each part of an expression is as long as the part."""
    match operand:
        case Field():
            return rules.field(operand)
        case Literal(value):
            rules.literal(operand)
            kind = FieldType.STRING if isinstance(value, str) else FieldType.INT64
            return FieldSpec("", FieldType.DOUBLE if isinstance(value, float) else kind)
        case Arith() | Call():
            if rules.depth >= rules.deepest:
                message = f"an expression is nested deeper than {rules.deepest} levels"
                raise _refused(message, HaCode.FILTER_CLAUSE, operand.span)
            return _arithmetic(operand, rules) if isinstance(operand, Arith) else _call(operand, rules)
        case _:
            raise _refused(f"a value that is not known: {operand!r}", HaCode.FILTER_CLAUSE, None)


def has_field(operand: Operand) -> bool:
    """Whether anything of a row is in it; the operand's depth has been looked at before."""
    match operand:
        case Field():
            return True
        case Literal():
            return False
        case Arith(_, left, right):
            return has_field(left) or has_field(right)
        case Call(_, args):
            return any(has_field(arg) for arg in args)


def require_comparable(node: Compare, rules: Rules) -> None:
    """Raises RequestError as ``operand_spec`` does, and 2001, 2002, 2006 or 2007 for sides that do not compare."""
    left, right = operand_spec(node.left, rules), operand_spec(node.right, rules)
    if not (has_field(node.left) or has_field(node.right)):
        raise _refused("a comparison needs a field", HaCode.EXPRESSION_LR_ALL_CONST_VALUE, node.span)
    if not isinstance(node.left, Literal) and not isinstance(node.right, Literal):
        for operand, spec in ((node.left, left), (node.right, right)):
            require_single(operand, spec)
    elif FieldType.MAP in (left.type, right.type):
        return
    if left.type.is_string != right.type.is_string:
        message = f"{left.name!r} is {left.type}, {right.name!r} is {right.type}"
        raise _refused(message, HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, node.span)


def require_single(operand: Operand, spec: FieldSpec) -> None:
    """Raises RequestError 2007 for several values, 2006 for a key of a MAP."""
    if spec.multi_value:
        raise several_values(spec, operand.span)
    if spec.type is FieldType.MAP:
        message = f"{operand_text(operand)!r} is a key of a MAP, which has no one type"
        raise _refused(message, HaCode.EXPRESSION_RESULT_UNKNOWN_TYPE, operand.span)


def require_polygon(node: InPolygon, rules: Rules) -> None:
    """Raises RequestError 2001 for what is no number, 2002 where all is constant, 2011 for literals of no polygon."""
    for side in (node.x, node.y):
        spec = operand_spec(side, rules)
        require_single(side, spec)
        if not spec.type.is_number:
            raise _mismatch(f"{spec.name!r} is {spec.type}: a point has numbers", side.span)
    if isinstance(node.polygon, Field):
        spec = rules.field(node.polygon)
        if not (spec.multi_value and spec.type.is_number):
            raise _mismatch(f"{spec.name!r} is no field of several numbers: corners are", node.polygon.span)
        return
    if not (has_field(node.x) or has_field(node.y)):
        raise _refused("a point or a polygon needs a field", HaCode.EXPRESSION_LR_ALL_CONST_VALUE, node.span)
    for corner in node.polygon:
        if not _spec(corner, rules).type.is_number:
            raise _mismatch(f"{_shown(corner)} is no number of a corner", corner.span)
        integer_of_64_bits(corner.value, corner.span)
    if len(node.polygon) % 2 or len(node.polygon) < 2 * _CORNERS:
        message = f"{len(node.polygon)} numbers: a polygon is x0, y0, x1, y1 and so on, of three corners at least"
        raise _refused(message, HaCode.CONST_EXPRESSION_VALUE, node.span)


def several_values(spec: FieldSpec, span: Span | None) -> RequestError:
    return _refused(f"field {spec.name!r} holds several values", HaCode.EXPRESSION_WITH_MULTI_VALUE, span)


def _arithmetic(arith: Arith, rules: Rules) -> FieldSpec:
    if arith.op not in ARITHMETIC:
        raise _refused(f"unknown operator {arith.op!r}", HaCode.FILTER_CLAUSE, arith.span)
    if isinstance(arith.left, Literal) and isinstance(arith.right, Literal):
        message = f"{_shown(arith)} has no field"
        raise _refused(message, HaCode.EXPRESSION_LR_ALL_CONST_VALUE, arith.span)
    whole = [_number(side, arith, rules).is_integer for side in (arith.left, arith.right)]
    return FieldSpec("", FieldType.INT64 if all(whole) else FieldType.DOUBLE)


def _number(side: Operand, arith: Arith, rules: Rules) -> FieldType:
    spec = _spec(side, rules.inside(arith))
    require_single(side, spec)
    if not spec.type.is_number:
        message = f"{_shown(side)!r} is {spec.type}: arithmetic takes numbers"
        raise _refused(message, HaCode.STRING_IN_BINARY_EXPRESSION, side.span)
    if isinstance(side, Literal):
        integer_of_64_bits(side.value, side.span)
    if arith.op in BITS and not spec.type.is_integer:
        message = f"{arith.op} takes integers; {_shown(side)} is none"
        raise _refused(message, HaCode.BIT_UNSUPPORT_TYPE_ERROR, side.span)
    return spec.type


def _call(call: Call, rules: Rules) -> FieldSpec:
    function = FUNCTIONS.get(call.name)
    if function is None:
        raise _refused(f"no function {call.name!r}", HaCode.FUNCTION_NOT_DEFINED, call.span)
    if len(call.args) != len(function.arguments):
        message = f"{call.name} takes {len(function.arguments)} arguments, not {len(call.args)}"
        raise _refused(message, HaCode.FUNCTION_ARGCOUNT, call.span)
    for kind, argument in zip(function.arguments, call.args, strict=True):
        _check_argument(call, kind, argument, rules.inside(call))
    if call.name == "string_replace":
        _check_replacement(call.args[2])
    return FieldSpec("", _RESULTS[function.result])


def _check_argument(call: Call, kind: ArgumentKind, argument: Operand, rules: Rules) -> None:
    spec = _spec(argument, rules)
    if kind == "several or text":
        fits = isinstance(argument, Field) and (spec.multi_value or spec.type.is_string)
    else:
        require_single(argument, spec)
        fits = _fits(kind, argument, spec.type)
    if not fits:
        message = f"{call.name} takes {_NEEDED[kind]}; {_shown(argument)!r} is {spec.type}"
        raise _mismatch(message, argument.span)
    if isinstance(argument, Literal):
        integer_of_64_bits(argument.value, argument.span)


_NEEDED: dict[ArgumentKind, str] = {
    "number": "numbers",
    "text": "texts",
    "constant": "a constant text",
    "integer or text": "an integer or a text",
    "several or text": "a multi-value or a text field",
}


def _fits(kind: ArgumentKind, argument: Operand, found: FieldType) -> bool:
    match kind:
        case "number":
            return found.is_number
        case "integer or text":
            return found.is_integer or found.is_string
        case "constant":
            return found.is_string and isinstance(argument, Literal)
        case _:
            return found.is_string


def _check_replacement(argument: Operand) -> None:
    text = argument.value if isinstance(argument, Literal) else None
    if not (isinstance(text, str) and len(text) == 1 and text.isascii()):
        message = f"string_replace puts one character of ASCII in, not {_shown(argument)}"
        raise _refused(message, HaCode.CONST_EXPRESSION_VALUE, argument.span)


def _shown(operand: Operand) -> str:
    return excerpt(operand_text(operand))


def _mismatch(message: str, span: Span | None) -> RequestError:
    return _refused(message, HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, span)


def _refused(message: str, code: HaCode, span: Span | None) -> RequestError:
    return RequestError(message, code=code, span=span)
