"""Operands -> programs for the constant script that computes and compares them. Pure.

A program is a list of steps for a stack: ["field", path], ["length", path], ["number", value], ["text", text], ["+"],
["call", function, arguments], ["to_string"] and ["string_replace", characters, by]. It goes to the cluster as a
parameter, so that no text of a request is ever compiled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engines.checks import arithmetic_number, rounded
from engines.opensearch.mapping import internal, shown_name
from engines.opensearch.tokens import keyword
from engines.operand_types import engine_rules, operand_spec
from havengate.types import Arith, Call, Field, Literal, Operand
from schemas.table import FieldType

if TYPE_CHECKING:
    from havengate.types import Scalar
    from schemas.table import TableSchema

Steps = list[list[Any]]


@dataclass(frozen=True, slots=True)
class Program:
    steps: Steps
    type: FieldType


def program(operand: Operand, schema: TableSchema) -> Program:
    """Raises RequestError for what no operand may be."""
    # All that can be wrong is looked at here, how deep it is among it.
    found = operand_spec(operand, engine_rules(schema))
    return Program(_steps(operand), found.type)


def literal_beside(value: Scalar, other: Program) -> Program:
    """A literal as it compares with what ``other`` gives: exactly, or rounded as that was."""
    if isinstance(value, str):
        return Program([["text", keyword(value)]], FieldType.STRING)
    low, high = FieldType.INT64.bounds
    if isinstance(value, int) and other.type.is_integer and low <= value <= high:
        return Program([_number(value)], FieldType.INT64)
    # An integer beyond 64 bits becomes a Double beyond them.
    return Program([_number(rounded(value, single=other.type is FieldType.FLOAT))], FieldType.DOUBLE)


def _steps(operand: Operand) -> Steps:
    match operand:
        case Field():
            # A MAP, whose tokens stand elsewhere, is no operand.
            return [["field", shown_name(operand.name)]]
        case Literal(str() as text):
            return [["text", keyword(text)]]
        case Literal(value):
            return [_number(arithmetic_number(value))]
        case Arith(op, left, right):
            return [*_steps(left), *_steps(right), [op]]
        case Call():
            return _call(operand)


def _call(call: Call) -> Steps:
    match call:
        case Call("fieldlen", (Field(name),)):
            return [["length", internal("lengths", name)]]
        case Call("to_string", (argument,)):
            return [*_steps(argument), ["to_string"]]
        case Call("string_replace", (argument, Literal(str() as characters), Literal(by))):
            # One by one gives what all at once does: they all become the same.
            return [*_steps(argument), ["string_replace", list(dict.fromkeys(characters)), by]]
        case Call(name, args):
            return [*(step for argument in args for step in _steps(argument)), ["call", name, len(args)]]


def _number(value: float) -> list[Any]:
    # JSON has no infinity; the script reads the text.
    return ["number", value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"]
