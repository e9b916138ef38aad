"""A plan against its table's schema: names exist, types agree, literals take their field's type.

Every dialect's plan passes through here once; engines rely on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from havengate.codes import HaCode
from havengate.errors import DocumentError, RequestError, excerpt
from havengate.types import (
    MAX_N,
    And,
    AndNot,
    BoolNode,
    Compare,
    Expr,
    Field,
    In,
    Literal,
    Not,
    Operand,
    Or,
    PicturePayload,
    SearchPlan,
    Span,
    TextPayload,
    VectorPayload,
    VectorTerm,
)
from havengate.values import coerce_scalar
from schemas.table import FLOAT32_MAX, FieldSpec, FieldType, TableSchema, VectorIndex

MAX_TERMS = 1024
MAX_VECTORS = 1024
MAX_CONDITIONS = 20_000


def bind(plan: SearchPlan, schema: TableSchema, *, window: int) -> SearchPlan:
    """The plan with every literal typed. Raises RequestError (1005, 1010, 1013, 1016, 1032, 2000 to 2007)."""
    if plan.offset < 0 or plan.limit < 0 or plan.offset + plan.limit > window:
        raise RequestError(
            f"start {excerpt(str(plan.offset))} + hit {excerpt(str(plan.limit))} is outside 0 to {window}",
            code=HaCode.OVER_RETURN_HITS_LIMIT,
        )
    terms = list(vector_terms(plan.query))
    if len(terms) > MAX_TERMS:
        raise RequestError(f"{len(terms)} vector terms, the most is {MAX_TERMS}", code=HaCode.QUERY_INVALID)
    for term in terms:
        _check_term(term, schema)
    _check_size(plan.filter)
    bound = None if plan.filter is None else bind_expr(plan.filter, schema)
    _check_sort(plan, schema)
    _check_output(plan, schema)
    return replace(plan, filter=bound)


def vector_terms(node: BoolNode | None) -> Iterator[VectorTerm]:
    """The tree's vector terms from left to right."""
    match node:
        case None:
            return
        case VectorTerm():
            yield node
        case And() | Or():
            for item in node.items:
                yield from vector_terms(item)
        case AndNot():
            yield from vector_terms(node.keep)
            yield from vector_terms(node.drop)


def _scored_terms(node: BoolNode | None) -> Iterator[VectorTerm]:
    """Terms whose scores a row keeps: not those that only take rows away."""
    match node:
        case AndNot():
            yield from _scored_terms(node.keep)
        case And() | Or():
            for item in node.items:
                yield from _scored_terms(item)
        case _:
            yield from vector_terms(node)


def _check_size(expr: Expr | None) -> None:
    level, count = [expr] if expr is not None else [], 0
    while level:
        count += len(level)
        if count > MAX_CONDITIONS:
            raise RequestError(f"the filter has more than {MAX_CONDITIONS} parts", code=HaCode.FILTER_CLAUSE)
        level = [part for item in level for part in _parts(item)]


def _parts(expr: Expr) -> tuple[Expr, ...]:
    match expr:
        case And(items) | Or(items):
            return items
        case Not(item):
            return (item,)
        case _:
            return ()


def category_filter(term: VectorTerm, schema: TableSchema) -> Expr | None:
    """The term's categories as a filter on its index's category field."""
    if not term.categories:
        return None
    field = schema.vector_indexes[term.index].category_field
    if field is None:
        raise RequestError(
            f"index {term.index!r} has no category field", code=HaCode.INDEX_FIELD_INVALID, span=term.span
        )
    literals = tuple(Literal(category, term.span) for category in term.categories)
    return bind_expr(In(Field(field), literals, term.span), schema)


def bind_expr(expr: Expr, schema: TableSchema) -> Expr:
    """A filter with its literals in their fields' types."""
    match expr:
        case And(items, span):
            return And(tuple(bind_expr(item, schema) for item in items), span)
        case Or(items, span):
            return Or(tuple(bind_expr(item, schema) for item in items), span)
        case Not(item, span):
            return Not(bind_expr(item, schema), span)
        case In():
            spec = _filterable(expr.field, schema)
            return replace(expr, values=tuple(_member(spec, value) for value in expr.values))
        case Compare():
            return _bind_compare(expr, schema)


def index_of(name: str, schema: TableSchema, span: Span | None = None) -> VectorIndex:
    """The vector index of that name; 1013 otherwise."""
    try:
        return schema.vector_indexes[name]
    except KeyError:
        known = ", ".join(schema.vector_indexes) or "none"
        raise RequestError(
            f"no vector index {name!r}; the table has: {known}", code=HaCode.INDEX_NOT_EXIST, span=span
        ) from None


def _check_term(term: VectorTerm, schema: TableSchema) -> None:
    index = index_of(term.index, schema, term.span)
    if not 1 <= term.n <= MAX_N:
        raise RequestError(
            f"n is {excerpt(str(term.n))}, it must be 1 to {MAX_N}", code=HaCode.OVER_RETURN_HITS_LIMIT, span=term.span
        )
    if term.score_threshold is not None and not math.isfinite(term.score_threshold):
        raise RequestError("sf must be a finite number", code=HaCode.QUERY_INVALID, span=term.span)
    match term.payload:
        case VectorPayload(vectors):
            _check_vectors(vectors, index, term.span)
        case TextPayload(text) if not text.strip():
            raise RequestError("the text to search for is empty", code=HaCode.NULL_QUERY, span=term.span)
    if isinstance(term.payload, TextPayload | PicturePayload) and index.model is None:
        raise RequestError(
            f"index {index.name!r} has no vector_model: it is searched by vectors only",
            code=HaCode.INDEX_TYPE_INVALID,
            span=term.span,
        )
    category_filter(term, schema)


def _check_vectors(vectors: tuple[tuple[float, ...], ...], index: VectorIndex, span: Span | None) -> None:
    if not vectors:
        raise RequestError("the query vector is empty", code=HaCode.NULL_QUERY, span=span)
    if len(vectors) > MAX_VECTORS:
        raise RequestError(f"{len(vectors)} vectors, the most is {MAX_VECTORS}", code=HaCode.QUERY_INVALID, span=span)
    for vector in vectors:
        if len(vector) != index.dimension:
            raise RequestError(
                f"the query vector has dimension {len(vector)}, index {index.name!r} has {index.dimension}",
                code=HaCode.QUERY_INVALID,
                span=span,
            )
        if not all(abs(number) <= FLOAT32_MAX for number in vector):
            raise RequestError("a query vector holds finite 32-bit numbers", code=HaCode.QUERY_INVALID, span=span)


def _bind_compare(expr: Compare, schema: TableSchema) -> Compare:
    left, right = expr.left, expr.right
    if isinstance(left, Literal) and isinstance(right, Literal):
        raise RequestError("a comparison needs a field", code=HaCode.EXPRESSION_LR_ALL_CONST_VALUE, span=expr.span)
    left_spec, right_spec = _operand_spec(left, schema), _operand_spec(right, schema)
    if left_spec is not None and right_spec is not None:
        _check_two_fields(expr, left_spec, right_spec)
    return replace(expr, left=_typed(left, right_spec), right=_typed(right, left_spec))


def _operand_spec(operand: Operand, schema: TableSchema) -> FieldSpec | None:
    return _filterable(operand, schema) if isinstance(operand, Field) else None


def _check_two_fields(expr: Compare, left: FieldSpec, right: FieldSpec) -> None:
    if left.multi_value or right.multi_value:
        raise RequestError(
            "two fields are compared only where both hold one value",
            code=HaCode.EXPRESSION_WITH_MULTI_VALUE,
            span=expr.span,
        )
    if FieldType.MAP in (left.type, right.type) or left.type.is_string != right.type.is_string:
        raise RequestError(
            f"{left.name!r} is {left.type}, {right.name!r} is {right.type}",
            code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH,
            span=expr.span,
        )


def _typed(operand: Operand, other: FieldSpec | None) -> Operand:
    if not isinstance(operand, Literal) or other is None:
        return operand
    value = operand.value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RequestError("a literal is a string or a number", code=HaCode.CONST_EXPRESSION_VALUE, span=operand.span)
    if isinstance(value, float) and not math.isfinite(value):
        raise RequestError("a literal must be finite", code=HaCode.CONST_EXPRESSION_VALUE, span=operand.span)
    if other.type is not FieldType.MAP and isinstance(value, str) != other.type.is_string:
        raise RequestError(
            f"field {other.name!r} is {other.type}, {value!r} is not",
            code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH,
            span=operand.span,
        )
    return operand


def _member(spec: FieldSpec, literal: Literal) -> Literal:
    if spec.type is FieldType.MAP:
        _typed(literal, spec)
        return literal
    try:
        return replace(literal, value=coerce_scalar(spec, literal.value))
    except DocumentError as error:
        raise RequestError(error.message, code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, span=literal.span) from error


def _filterable(field: Field, schema: TableSchema) -> FieldSpec:
    spec = schema.attribute_fields.get(field.name)
    if spec is None or (field.path is not None) != (spec.type is FieldType.MAP):
        raise RequestError(_why_not(field, schema), code=HaCode.ATTRIBUTE_NOT_EXIST, span=field.span)
    if field.name in schema.base64_fields:
        raise RequestError(
            f"field {field.name!r} holds pictures and is no attribute",
            code=HaCode.ATTRIBUTE_NOT_EXIST,
            span=field.span,
        )
    return spec


def _why_not(field: Field, schema: TableSchema) -> str:
    spec = schema.attribute_fields.get(field.name)
    if spec is None:
        known = ", ".join(name for name in schema.attribute_fields if name not in schema.base64_fields)
        return f"no attribute {field.name!r}; the table has: {known}"
    if spec.type is FieldType.MAP:
        return f"field {field.name!r} is a MAP: name one of its keys, {field.name}.key"
    return f"field {field.name!r} is {spec.type} and has no keys"


def _check_sort(plan: SearchPlan, schema: TableSchema) -> None:
    if not plan.sort:
        raise RequestError("sort has no key", code=HaCode.SORT_NO_DESCRIPTION)
    seen: set[str | None] = set()
    for key in plan.sort:
        name = None if key.field is None else key.field.name
        if name in seen:
            raise RequestError(f"{name or 'RANK'} twice", code=HaCode.SORT_SAME_EXPRESSION, span=key.span)
        seen.add(name)
        if key.field is not None:
            spec = _filterable(key.field, schema)
            if spec.multi_value or spec.type is FieldType.MAP:
                raise RequestError(
                    f"field {name!r} holds several values", code=HaCode.EXPRESSION_WITH_MULTI_VALUE, span=key.span
                )
    formula = plan.rank.proxima_index
    if formula is not None and formula not in {term.index for term in _scored_terms(plan.query)}:
        raise RequestError(
            f"proxima_score({formula}): no term that gives scores searches that index",
            code=HaCode.INDEX_NOT_EXIST,
            span=plan.rank.span,
        )


def _check_output(plan: SearchPlan, schema: TableSchema) -> None:
    for name in plan.output_fields or ():
        if name not in schema.fields:
            raise RequestError(
                f"no field {name!r}; the table has: {', '.join(schema.fields)}", code=HaCode.ATTRIBUTE_NOT_EXIST
            )
