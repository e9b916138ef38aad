"""Filter and sort expressions as the plan has them; what this version lacks is refused."""

from __future__ import annotations

from dataclasses import dataclass

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import And, Compare, Expr, Field, In, Literal, Operand, Or, SortKey
from query_parser import nodes

MAX_VALUES = 10_000
"""A value takes two characters of a request, and each is typed and compared on its own."""
_TWO = 2


def plan_filter(expr: nodes.Expr) -> Expr:
    """A condition. Raises RequestError 1052 for arithmetic and over MAX_VALUES, 2100 and 2101 for functions."""
    return _FilterPlanner().plan(expr)


@dataclass(slots=True)
class _FilterPlanner:
    """``values`` counts those of all in(), as many short ones cost what a long one does."""

    values: int = 0

    def plan(self, expr: nodes.Expr) -> Expr:
        match expr:
            case nodes.Logical("AND"):
                return And(tuple(map(self.plan, expr.items)), expr.span)
            case nodes.Logical():
                return Or(tuple(map(self.plan, expr.items)), expr.span)
            case nodes.Relation():
                return Compare(expr.op, _operand(expr.left), _operand(expr.right), expr.span)
            case nodes.Call():
                return self._in(expr)
            case _:
                raise RequestError("this is a value, not a condition", code=HaCode.FILTER_CLAUSE, span=expr.span)

    def _in(self, call: nodes.Call) -> In:
        """``in(field,"a|b")``; the values stay text until a schema types them."""
        name, listed = _in_arguments(call)
        values = dict.fromkeys(value.strip() for value in str(listed.value).split("|"))
        values.pop("", None)
        self.values += len(values)
        if self.values > MAX_VALUES:
            message = f"the filter has more than {MAX_VALUES} values inside in()"
            raise RequestError(message, code=HaCode.FILTER_CLAUSE, span=listed.span)
        return In(_field(name), tuple(Literal(value, listed.span) for value in values), call.span)


def plan_sort(items: tuple[nodes.SortItem, ...]) -> tuple[SortKey, ...]:
    """Sort keys. Raises RequestError 1054 for anything but fields and RANK, 2100 for a function."""
    return tuple(_sort_key(item) for item in items)


def _sort_key(item: nodes.SortItem) -> SortKey:
    match item.expr:
        case None:
            return SortKey(None, item.descending, item.span)
        case nodes.Name():
            return SortKey(_field(item.expr), item.descending, item.span)
        case nodes.Call():
            raise _unknown_function(item.expr, "")
        case _:
            message = "sorting by expressions is not in this version; name a field or RANK"
            raise RequestError(message, code=HaCode.SORT_CLAUSE, span=item.expr.span)


def _operand(expr: nodes.Expr) -> Operand:
    match expr:
        case nodes.Name():
            return _field(expr)
        case nodes.Constant():
            return Literal(expr.value, expr.span)
        case nodes.Call(function="in"):
            message = "in() is a condition of its own, it cannot be compared"
            raise RequestError(message, code=HaCode.FILTER_CLAUSE, span=expr.span)
        case nodes.Call():
            raise _unknown_function(expr, "; known: in")
        case _:
            message = "arithmetic in filters is not in this version"
            raise RequestError(message, code=HaCode.FILTER_CLAUSE, span=expr.span)


def _field(name: nodes.Name) -> Field:
    return Field(name.name, name.path, name.span)


def _in_arguments(call: nodes.Call) -> tuple[nodes.Name, nodes.Constant]:
    if call.function != "in":
        raise _unknown_function(call, "; known: in")
    if len(call.arguments) != _TWO:
        message = f'in() takes a field and "value|value", it has {len(call.arguments)} arguments'
        raise RequestError(message, code=HaCode.FUNCTION_ARGCOUNT, span=call.span)
    name, listed = call.arguments
    if not isinstance(name, nodes.Name):
        raise RequestError("in() takes a field first", code=HaCode.FILTER_CLAUSE, span=name.span)
    if not isinstance(listed, nodes.Constant) or not isinstance(listed.value, str):
        message = 'in() takes its values as one text: "value|value"'
        raise RequestError(message, code=HaCode.FILTER_CLAUSE, span=listed.span)
    return name, listed


def _unknown_function(call: nodes.Call, known: str) -> RequestError:
    message = f"no function {call.function}{known}"
    return RequestError(message, code=HaCode.FUNCTION_NOT_DEFINED, span=call.span)
