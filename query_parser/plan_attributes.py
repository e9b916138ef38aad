"""Virtual attributes, and what the attribute clause asks for."""

from __future__ import annotations

from collections.abc import Iterator

from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.types import Variable
from query_parser.clause_nodes import VirtualAttribute
from query_parser.nodes import Text
from query_parser.plan_expr import Expressions
from schemas.table import TableSchema

MAX_NAMES = 256


def definitions(attributes: tuple[VirtualAttribute, ...], expressions: Expressions) -> Iterator[Variable]:
    """Each name and what it stands for from here on.

    Raises RequestError 2070 for the name of a field and over MAX_NAMES, and what an expression may raise.
    """
    for place, attribute in enumerate(attributes):
        taken = attribute.name in expressions.scope.schema.fields
        if taken or place == MAX_NAMES:
            why = f"{excerpt(attribute.name)!r} has the name of a field" if taken else f"{MAX_NAMES + 1}: too many"
            message = f"virtual attribute {why}"
            raise RequestError(message, code=HaCode.VIRTUALATTRIBUTE_CLAUSE, span=attribute.span)
        planned = expressions.define(attribute.name, attribute.expr)
        yield Variable(attribute.name, planned, attribute.span)


def output_fields(attributes: tuple[Text, ...], expressions: Expressions) -> tuple[str, ...] | None:
    """The attribute clause adds to the fields that always come: vectors and Base64 pictures.

    Raises RequestError 2000.
    """
    schema = expressions.scope.schema
    for attribute in attributes:
        if attribute.text not in schema.fields and attribute.text not in expressions.names:
            raise _unknown(attribute, schema, expressions)
    stored = [attribute.text for attribute in attributes if attribute.text in schema.fields]
    if not stored:
        return None
    return tuple(dict.fromkeys([*schema.shown_fields, *stored]))


def variables(attributes: tuple[Text, ...], expressions: Expressions) -> tuple[Variable, ...]:
    """The virtual attributes among what the attribute clause names."""
    named = (attribute for attribute in attributes if attribute.text in expressions.names)
    return tuple(Variable(each.text, expressions.names[each.text].planned, each.span) for each in named)


def _unknown(attribute: Text, schema: TableSchema, expressions: Expressions) -> RequestError:
    known = ", ".join((*schema.fields, *expressions.names))
    message = f"no field {excerpt(attribute.text)!r}; the table has: {known}"
    return RequestError(message, code=HaCode.ATTRIBUTE_NOT_EXIST, span=attribute.span)
