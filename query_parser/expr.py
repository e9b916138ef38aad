"""Expressions of filters, sort keys and all clauses that hold some: tokens to tree.

The grammar is that of the engine's ClauseBisonParser.yy. Loosest to tightest: OR, AND, one relation, ``|``, ``^``,
``&``, ``+ -``, ``* /``; all associate to the left. AND and OR join conditions and calls, everything else takes values
and calls; a minus stands before numbers only. It is read by operator precedence over two explicit stacks, a tenth of
a table-driven parser's time per token, so that nesting costs no recursion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import CompareOp, Span
from query_parser.nodes import MAX_DEPTH, Arithmetic, Call, Constant, Expr, Logical, Name, Relation, Remark
from query_parser.tokens import END, Tokens, number, quoted, unquoted

_RELATION = 3
_SIGNS = "|", "^", "&", "+-", "*/"
_BINDS = {
    "OR": 1,
    "AND": 2,
    **dict.fromkeys(("=", "!=", "<", "<=", ">", ">="), _RELATION),
    **{sign: level for level, signs in enumerate(_SIGNS, _RELATION + 1) for sign in signs},
}
"""How tightly an operator binds."""


def parse_expr(text: str, span: Span, code: HaCode, remarks: list[Remark]) -> Expr:
    """An expression of any kind. Raises RequestError with ``code``."""
    tokens = Tokens(text, span, code, remarks)
    expr = expression(tokens)
    if tokens.kind != END:
        raise tokens.unexpected()
    return expr


def is_condition(expr: Expr) -> bool:
    """Whether an expression is true or false; a call may be either."""
    return isinstance(expr, Relation | Logical | Call)


def expression(tokens: Tokens) -> Expr:
    """The longest expression at the cursor, which then stands behind it. Raises RequestError with the tokens' code."""
    levels = [_Level()]
    while True:
        _operand(tokens, levels)
        while (binds := _BINDS.get(tokens.kind)) is None:
            level = levels[-1]
            value = level.closed(tokens)
            if len(levels) == 1:
                return _finished(value, tokens)
            if level.function is not None and tokens.accept(","):
                level.arguments.append(_finished(value, tokens))
                break
            tokens.take(")")
            levels.pop()
            levels[-1].operands.append(level.ended(value, tokens))
        else:
            levels[-1].operator(tokens.kind, binds, tokens)
            tokens.at += 1


@dataclass(slots=True)
class _Joined:
    """A chain of one operator that may still grow: what is joined from the left is one node."""

    op: Literal["AND", "OR"]
    items: list[Expr]


@dataclass(slots=True)
class _Level:
    """What was read since a parenthesis opened; ``function`` is where the name of a call stands."""

    function: int | None = None
    arguments: list[Expr] = field(default_factory=list)
    operands: list[Expr | _Joined] = field(default_factory=list)
    operators: list[tuple[str, int]] = field(default_factory=list)

    def operator(self, op: str, binds: int, tokens: Tokens) -> None:
        while self.operators and self.operators[-1][1] >= binds:
            self._reduce(tokens)
        self.operators.append((op, binds))

    def closed(self, tokens: Tokens) -> Expr | _Joined:
        while self.operators:
            self._reduce(tokens)
        return self.operands.pop()

    def ended(self, value: Expr | _Joined, tokens: Tokens) -> Expr | _Joined:
        """What the parentheses that were just closed stand for."""
        if self.function is None:
            return value
        self.arguments.append(_finished(value, tokens))
        span = Span(tokens.starts[self.function], tokens.ends[tokens.at - 1])
        return Call(tokens.word(self.function), tuple(self.arguments), span, _deeper(self.arguments, span, tokens))

    def _reduce(self, tokens: Tokens) -> None:
        op, binds = self.operators.pop()
        right = _finished(self.operands.pop(), tokens)
        left = self.operands.pop()
        if binds < _RELATION:
            self.operands.append(_joined(cast("Literal['AND', 'OR']", op), left, right, tokens))
            return
        left = _finished(left, tokens)
        for side in (left, right):
            if isinstance(side, Relation | Logical):
                raise _wrong(f"'{op}' takes values, this is a condition", side.span, tokens)
        span = Span(left.span.start, right.span.end)
        depth = _deeper((left, right), span, tokens)
        if binds == _RELATION:
            self.operands.append(Relation(cast("CompareOp", op), left, right, span, depth))
        else:
            self.operands.append(Arithmetic(op, left, right, span, depth))


def _operand(tokens: Tokens, levels: list[_Level]) -> None:
    """Reads a number, a text, a name or a call without arguments, and the parentheses that open before it."""
    while True:
        at = tokens.at
        tokens.at += 1
        match tokens.kinds[at]:
            case "name" if tokens.kinds[at + 1] != "(":
                name, dot, path = tokens.word(at).partition(".")
                operand: Expr = Name(name, path if dot else None, tokens.span(at))
            case "name" if "." in tokens.word(at):
                raise tokens.unexpected(at=at + 1)
            case "name" if tokens.kinds[at + 2] == ")":
                tokens.at += 2
                operand = Call(tokens.word(at), (), Span(tokens.starts[at], tokens.ends[at + 2]))
            case "name":
                tokens.at += 1
                levels.append(_Level(at))
                continue
            case "(":
                levels.append(_Level())
                continue
            case "text":
                text = unquoted(tokens.word(at))
                operand = Constant(text, quoted(text), tokens.span(at))
            case "integer" | "float":
                operand = Constant(number(tokens.word(at), tokens), tokens.word(at), tokens.span(at))
            case "-":
                operand = _negative(tokens, at)
            case _:
                raise tokens.unexpected(at=at)
        levels[-1].operands.append(operand)
        return


def _negative(tokens: Tokens, at: int) -> Constant:
    source = tokens.take("integer", "float")
    return Constant(-number(source, tokens), f"-{source}", Span(tokens.starts[at], tokens.ends[at + 1]))


def _joined(op: Literal["AND", "OR"], left: Expr | _Joined, right: Expr, tokens: Tokens) -> _Joined:
    for item in (left, right):
        if not isinstance(item, _Joined | Relation | Logical | Call):
            raise _wrong(f"{op} joins conditions, this is a value", item.span, tokens)
    if not isinstance(left, _Joined):
        return _Joined(op, [left, right])
    if left.op != op:
        return _Joined(op, [_finished(left, tokens), right])
    left.items.append(right)
    return left


def _finished(item: Expr | _Joined, tokens: Tokens) -> Expr:
    if not isinstance(item, _Joined):
        return item
    span = Span(item.items[0].span.start, item.items[-1].span.end)
    return Logical(item.op, tuple(item.items), span, _deeper(item.items, span, tokens))


def _deeper(items: Sequence[Expr], span: Span, tokens: Tokens) -> int:
    depth = 1 + max(item.depth for item in items)
    if depth > MAX_DEPTH:
        raise _wrong(f"the expression is nested deeper than {MAX_DEPTH}", span, tokens)
    return depth


def _wrong(message: str, span: Span, tokens: Tokens) -> RequestError:
    return RequestError(message, code=tokens.code, span=span)
