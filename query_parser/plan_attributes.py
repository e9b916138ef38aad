"""Virtual attributes, and what the attribute clause asks for."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.types import Variable
from query_parser.clause_nodes import VirtualAttribute
from query_parser.nodes import Text
from query_parser.plan_expr import Expressions
from schemas.table import TableSchema


def define(attribute: VirtualAttribute, expressions: Expressions) -> None:
    """Raises RequestError 2070 for the name of a field, and what an expression may raise."""
    if attribute.name in expressions.scope.schema.fields:
        message = f"virtual attribute {excerpt(attribute.name)!r} has the name of a field"
        raise RequestError(message, code=HaCode.VIRTUALATTRIBUTE_CLAUSE, span=attribute.span)
    expressions.define(attribute.name, attribute.expr)


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
    always = [name for name in schema.attribute_fields if name not in schema.base64_fields]
    return tuple(dict.fromkeys([*always, *stored]))


def variables(attributes: tuple[Text, ...], expressions: Expressions) -> tuple[Variable, ...]:
    """The virtual attributes among what the attribute clause names."""
    named = (attribute for attribute in attributes if attribute.text in expressions.names)
    return tuple(Variable(each.text, expressions.names[each.text].planned, each.span) for each in named)


def _unknown(attribute: Text, schema: TableSchema, expressions: Expressions) -> RequestError:
    known = ", ".join((*schema.fields, *expressions.names))
    message = f"no field {excerpt(attribute.text)!r}; the table has: {known}"
    return RequestError(message, code=HaCode.ATTRIBUTE_NOT_EXIST, span=attribute.span)
