"""Expressions as text, fully parenthesised, in the form of the engine's own tests."""

from __future__ import annotations

from query_parser.nodes import Arithmetic, Call, Constant, Expr, Logical, Name, Relation


def expr_text(expr: Expr) -> str:
    """``a+b<c AND d=10`` is ``(((a+b)<c) AND (d=10))``."""
    match expr:
        case Name():
            return expr.name if expr.path is None else f"{expr.name}.{expr.path}"
        case Constant():
            return expr.source
        case Call():
            return f"{expr.function}({' , '.join(map(expr_text, expr.arguments))})"
        case Arithmetic() | Relation():
            return f"({expr_text(expr.left)}{expr.op}{expr_text(expr.right)})"
        case Logical():
            first, *rest = map(expr_text, expr.items)
            return "(" * len(rest) + first + "".join(f" {expr.op} {item})" for item in rest)
