"""The virtual_attribute clause: ``name:expression`` separated by ``;``."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clause_nodes import VirtualAttribute
from query_parser.descriptions import whole
from query_parser.expr import expression
from query_parser.nodes import Remark
from query_parser.tokens import END, OPENING, Tokens


def parse_virtual_attribute(text: str, span: Span, remarks: list[Remark]) -> tuple[VirtualAttribute, ...]:
    """Raises RequestError 2070, for a name that is given twice, too."""
    tokens = Tokens(text, span, HaCode.VIRTUALATTRIBUTE_CLAUSE, remarks)
    if tokens.word(0) in OPENING:
        # The engine's one grammar reads a description of another clause here.
        raise tokens.unexpected()
    found: dict[str, VirtualAttribute] = {}
    while tokens.kind != END or not found:
        if tokens.accept(";"):
            continue
        attribute = _attribute(tokens)
        if attribute.name in found:
            message = f"virtual attribute {attribute.name!r} is given twice"
            raise RequestError(message, code=HaCode.VIRTUALATTRIBUTE_CLAUSE, span=attribute.span)
        found[attribute.name] = attribute
        if tokens.kind not in (";", END):
            raise tokens.unexpected()
    return tuple(found.values())


def _attribute(tokens: Tokens) -> VirtualAttribute:
    at = tokens.at
    name = tokens.name()
    tokens.take(":")
    return VirtualAttribute(name, expression(tokens), whole(tokens, at))
