"""Expressions of every clause as the plan has them; names of virtual attributes are replaced by what they stand for."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard, cast

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import (
    And,
    Arith,
    ArithOp,
    Call,
    Compare,
    CompareOp,
    Expr,
    Field,
    InPolygon,
    Literal,
    Not,
    Operand,
    Or,
    Span,
)
from query_parser import nodes
from query_parser.plan_functions import Planned, Scope, operand, plan_call

MAX_PARTS = 20_000
"""Of all expressions together, once names are replaced: fifteen names, each twice the one before it, are more."""

_COMPARE: Mapping[CompareOp, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def is_condition(planned: Planned) -> TypeGuard[Expr]:
    return not isinstance(planned, Field | Literal | Arith | Call)


@dataclass(frozen=True, slots=True)
class _Named:
    """What a virtual attribute stands for, and how much that is."""

    planned: Planned
    parts: int
    depth: int


@dataclass(slots=True)
class Expressions:
    """Plans the expressions of one request, in the order of its clauses.

    They raise RequestError 2001, 2002, 2004, 2100, 2101, and 1052 where they are too large.
    """

    scope: Scope
    names: dict[str, _Named] = field(default_factory=dict)
    parts: int = 0
    _deepest: int = 0

    def condition(self, node: nodes.Expr, code: HaCode = HaCode.FILTER_EXPRESSION_NOT_BOOL) -> Expr:
        """A clause's condition. Raises RequestError ``code`` for a value, and what an expression may raise."""
        found, _ = self._whole(node, HaCode.FILTER_CLAUSE)
        if is_condition(found):
            return found
        raise RequestError("this is a value, not a condition such as field=1", code=code, span=node.span)

    def value(self, node: nodes.Expr, code: HaCode = HaCode.EXPRESSION_LR_TYPE_NOT_MATCH) -> Operand:
        """A clause's value. Raises RequestError ``code`` for a condition, and what an expression may raise."""
        found, _ = self._whole(node, HaCode.FILTER_CLAUSE)
        return operand(found, node.span, code)

    def define(self, name: str, node: nodes.Expr) -> Planned:
        """Lets a name stand for an expression from here on, and gives that. Raises what an expression may raise."""
        before = self.parts
        planned, depth = self._whole(node, HaCode.VIRTUALATTRIBUTE_CLAUSE)
        self.names[name] = _Named(planned, self.parts - before, depth)
        return planned

    def _whole(self, node: nodes.Expr, code: HaCode) -> tuple[Planned, int]:
        """A whole expression and how deep it is with its names replaced; later stages recurse over it."""
        self._deepest = 0
        planned = self._plan(node)
        # A name counts as one level already.
        depth = node.depth + max(0, self._deepest - 1)
        if depth > nodes.MAX_DEPTH:
            message = f"with its names replaced the expression is nested deeper than {nodes.MAX_DEPTH}"
            raise RequestError(message, code=code, span=node.span)
        return planned, depth

    def _plan(self, node: nodes.Expr) -> Planned:
        self._count(1, node.span)
        match node:
            case nodes.Name():
                return self._name(node)
            case nodes.Constant():
                return Literal(node.value, node.span)
            case nodes.Arithmetic():
                return self._arithmetic(node)
            case nodes.Relation():
                return self._relation(node)
            case nodes.Logical():
                return self._logical(node)
            case nodes.Call():
                return plan_call(node, tuple(map(self._plan, node.arguments)), self.scope)

    def _count(self, parts: int, span: Span) -> None:
        self.parts += parts
        if self.parts > MAX_PARTS:
            message = f"the expressions have more than {MAX_PARTS} parts"
            raise RequestError(message, code=HaCode.FILTER_CLAUSE, span=span)

    def _name(self, node: nodes.Name) -> Planned:
        named = self.names.get(node.name) if node.path is None else None
        if named is None:
            return Field(node.name, node.path, node.span)
        self._count(named.parts, node.span)
        self._deepest = max(self._deepest, named.depth)
        return named.planned

    def _arithmetic(self, node: nodes.Arithmetic) -> Operand:
        left, right = (operand(self._plan(side), side.span) for side in (node.left, node.right))
        numbers = self._timely(left, right)
        value = None if numbers is None else _computed(node.op, *numbers)
        if value is None:
            return Arith(cast("ArithOp", node.op), left, right, node.span)
        return self.scope.computed(value, node.span)

    def _relation(self, node: nodes.Relation) -> Expr:
        first, second = self._plan(node.left), self._plan(node.right)
        if isinstance(first, InPolygon) and isinstance(second, Literal):
            return self._placed(first, node.op, second, node)
        left, right = operand(first, node.left.span), operand(second, node.right.span)
        numbers = self._timely(left, right)
        if numbers is None:
            return Compare(node.op, left, right, node.span)
        return self.scope.always(_COMPARE[node.op](*numbers), node.span)

    def _timely(self, left: Operand, right: Operand) -> tuple[float, float] | None:
        """Two numbers of which the clock gave one: to the engine they are no constants, here they are computed."""
        if not (self.scope.is_moment(left) or self.scope.is_moment(right)):
            return None
        values = [side.value for side in (left, right) if isinstance(side, Literal) and not isinstance(side.value, str)]
        return (values[0], values[1]) if len(values) == len((left, right)) else None

    def _placed(self, inside: InPolygon, op: CompareOp, number: Literal, node: nodes.Relation) -> Expr:
        """``in_polygon(…)>0``: the vendor's function is 1 inside and 0 outside."""
        if isinstance(number.value, str):
            message = "in_polygon() is a number, this is a text"
            raise RequestError(message, code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, span=node.right.span)
        within, without = (_COMPARE[op](truth, number.value) for truth in (1, 0))
        if within == without:
            return self.scope.always(within, node.span)
        return inside if within else Not(inside, node.span)

    def _logical(self, node: nodes.Logical) -> Expr:
        items = [(self._plan(item), item.span) for item in node.items]
        conditions = [item for item, _ in items if is_condition(item)]
        for item, span in items:
            if not is_condition(item):
                code = HaCode.EXPRESSION_LR_TYPE_NOT_MATCH if conditions else HaCode.LOGICAL_EXPR_LR_TYPE_ERROR
                raise RequestError(f"{node.op} joins conditions, this is a value", code=code, span=span)
        return (And if node.op == "AND" else Or)(tuple(conditions), node.span)


def _computed(op: str, left: float, right: float) -> float | None:
    """None where there is nothing to compute for."""
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/" if right and isinstance(left, int) and isinstance(right, int):
            return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        case "/" if right:
            return left / right
        case _:
            return None
