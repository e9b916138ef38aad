"""Filter and sort expressions: text to tree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import cast

from lark import Lark, Token, Transformer, v_args

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import CompareOp, Span
from query_parser.grammar import Language, load, token_span
from query_parser.nodes import (
    MAX_DEPTH,
    Arithmetic,
    Call,
    Constant,
    Expr,
    Logical,
    Name,
    Relation,
    Remark,
)
from query_parser.quoting import EXPR_TOKEN, unquoted, what_is_read

_DIGITS = 40
_TOKEN_NAMES = {
    "$END": "end of file",
    "NUMBER": "number",
    "IDENT": "identifier",
    "STRING": "string",
    "_AND": "AND",
    "_OR": "OR",
    "EQ": "'='",
    "LE": "'<='",
    "GE": "'>='",
    "LT": "'<'",
    "GT": "'>'",
    "NE": "'!='",
    "BAR": "'|'",
    "CARET": "'^'",
    "AMP": "'&'",
    "PLUS": "'+'",
    "MINUS": "'-'",
    "STAR": "'*'",
    "SLASH": "'/'",
    "_LPAR": "'('",
    "_RPAR": "')'",
    "_COMMA": "','",
}


def parse_expr(text: str, span: Span, code: HaCode, remarks: list[Remark]) -> Expr:
    """An expression of any kind. Raises RequestError with ``code``."""
    read = what_is_read(EXPR_TOKEN, text, span, code, remarks)
    try:
        return cast("Expr", Language(_parser(), code, _TOKEN_NAMES).parse(text, read))
    except _Misplaced as error:
        raise RequestError(error.message, code=code, span=error.span) from None


def is_condition(expr: Expr) -> bool:
    """Whether an expression is true or false; a call may be either."""
    return isinstance(expr, Relation | Logical | Call)


@dataclass
class _Misplaced(Exception):
    """Becomes a RequestError with the clause's code."""

    message: str
    span: Span


@cache
def _parser() -> Lark:
    return load("expr.lark", "start", _Builder())


@v_args(inline=True)
class _Builder(Transformer[Token, Expr]):
    def any_of(self, *items: Expr) -> Logical:
        return Logical("OR", *_conditions("OR", items))

    def all_of(self, *items: Expr) -> Logical:
        return Logical("AND", *_conditions("AND", items))

    def related(self, left: Expr, op: Token, right: Expr) -> Relation:
        return Relation(cast("CompareOp", str(op)), *_values(op, left, right))

    def computed(self, left: Expr, op: Token, right: Expr) -> Arithmetic:
        return Arithmetic(str(op), *_values(op, left, right))

    def name(self, token: Token) -> Name:
        name, dot, path = str(token).partition(".")
        return Name(name, path if dot else None, token_span(token))

    def number(self, token: Token) -> Constant:
        return _number(str(token), token_span(token))

    def negative(self, minus: Token, token: Token) -> Constant:
        return _number(f"-{token}", Span(token_span(minus).start, token_span(token).end))

    def string(self, token: Token) -> Constant:
        return Constant(unquoted(token), str(token), token_span(token))

    def call(self, function: Token, *arguments: Expr) -> Call:
        start = token_span(function)
        span = Span(start.start, arguments[-1].span.end if arguments else start.end)
        return Call(str(function), arguments, span, _deeper(arguments, span) if arguments else 1)


def _number(source: str, span: Span) -> Constant:
    if len(source) > _DIGITS:
        raise _Misplaced(f"the number {source[:_DIGITS]}… is too long", span)
    if "." in source:
        return Constant(float(source), source, span)
    return Constant(int(source, 16 if "x" in source.lower() else 10), source, span)


def _conditions(op: str, items: tuple[Expr, ...]) -> tuple[tuple[Expr, ...], Span, int]:
    for item in items:
        if not is_condition(item):
            raise _Misplaced(f"{op} joins conditions, this is a value", item.span)
    span = Span(items[0].span.start, items[-1].span.end)
    return items, span, _deeper(items, span)


def _values(op: Token, left: Expr, right: Expr) -> tuple[Expr, Expr, Span, int]:
    for item in (left, right):
        if isinstance(item, Relation | Logical):
            raise _Misplaced(f"'{op}' takes values, this is a condition", item.span)
    span = Span(left.span.start, right.span.end)
    return left, right, span, _deeper((left, right), span)


def _deeper(items: tuple[Expr, ...], span: Span) -> int:
    depth = 1 + max(item.depth for item in items)
    if depth > MAX_DEPTH:
        raise _Misplaced(f"the expression is nested deeper than {MAX_DEPTH}", span)
    return depth
