"""The kvpairs that say what RANK is and when the filter applies."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import FilterMode, Rank, Span
from query_parser.expr import parse_expr
from query_parser.nodes import Call, Constant, Name, Text
from query_parser.plan_terms import Indexes
from query_parser.request import HaRequest


def filter_mode(request: HaRequest) -> FilterMode:
    """Raises RequestError 2090."""
    mode = request.kvpairs.get("filter_mode")
    match None if mode is None else mode.text:
        case None | "pre":
            return "pre"
        case "post":
            return "post"
        case other:
            span = None if mode is None else mode.span
            message = f"filter_mode is pre or post, not {other!r}"
            raise RequestError(message, code=HaCode.PARSE_KVPAIR_CLAUSE, span=span)


def plan_rank(request: HaRequest, indexes: Indexes) -> Rank:
    """Both names of the formula mean the same; ``formula`` wins. Raises RequestError 1013, 1016, 1068, 2100, 2101."""
    formula = request.kvpairs.get("formula") or request.kvpairs.get("first_formula")
    return Rank() if formula is None else Rank(_proxima_index(formula, indexes), formula.span)


def _proxima_index(formula: Text, indexes: Indexes) -> str:
    where = formula.span
    try:
        expr = parse_expr(formula.text, Span(0, len(formula.text)), HaCode.PARSE_SYNTAX, [])
    except RequestError as error:
        raise RequestError(f"formula: {error.message}", code=error.code, span=where) from None
    match expr:
        case Call("proxima_score", (Name(name, None) | Constant(str(name)),)):
            return indexes.vector(name, where).name
        case Call("proxima_score"):
            raise RequestError("proxima_score takes one index", code=HaCode.FUNCTION_ARGCOUNT, span=where)
        case Call():
            message = f"no function {expr.function}; a formula is proxima_score(index)"
        case _:
            message = f"a formula is proxima_score(index) in this version, not {formula.text[:80]!r}"
    raise RequestError(message, code=HaCode.FUNCTION_NOT_DEFINED, span=where)
