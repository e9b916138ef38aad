"""The optimizer clause."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clause_nodes import Optimizer
from query_parser.clauses import pair, pieces
from query_parser.nodes import Remark


def parse_optimizer(text: str, span: Span, _remarks: list[Remark]) -> Optimizer:
    """Raises RequestError 2400."""
    found: dict[str, list[str]] = {"name": [], "option": []}
    for part in pieces(text, span, ";"):
        for piece in pieces(text, part, ","):
            key, value = pair(text, piece, ":", HaCode.OPTIMIZER_CLAUSE, "optimizer")
            if key.text not in found:
                message = f"optimizer has no key {key.text[:80]!r}"
                raise RequestError(message, code=HaCode.OPTIMIZER_CLAUSE, span=key.span)
            found[key.text].append(value.text)
    return Optimizer(tuple(found["name"]), tuple(found["option"]))
