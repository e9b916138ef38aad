"""The pkfilter clause: one row by its primary key."""

from __future__ import annotations

import re

from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.types import And, Compare, Expr, Field, Literal
from query_parser.request import HaRequest
from schemas.table import TableSchema

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")


def with_key(condition: Expr | None, request: HaRequest, schema: TableSchema) -> Expr | None:
    """The filter, and the row that pkfilter names. Raises RequestError 1064 for nothing, or no key of this table."""
    given = request.pkfilter
    if given is None:
        return condition
    integer = schema.key_type.is_integer
    if not given.text or (integer and not _INTEGER.fullmatch(given.text)):
        message = f"pkfilter takes a primary key{', a whole number' if integer else ''}, not {excerpt(given.text)!r}"
        raise RequestError(message, code=HaCode.PKFILTER_CLAUSE, span=given.span)
    key = Literal(int(given.text) if integer else given.text, given.span)
    equal = Compare("=", Field(schema.primary_key, span=given.span), key, given.span)
    return equal if condition is None else And((equal, condition), given.span)
