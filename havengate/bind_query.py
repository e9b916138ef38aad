"""The terms of a query tree against a table's schema: indexes exist and fit, payloads and bounds make sense."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from havengate.bind_expr import bind_expr, check_words, is_finite
from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.types import (
    MAX_N,
    And,
    AndNot,
    AtLeast,
    BoolNode,
    Expr,
    Field,
    In,
    Literal,
    NumberTerm,
    Or,
    PicturePayload,
    RankNode,
    Span,
    Term,
    TextPayload,
    TextTerm,
    VectorPayload,
    VectorTerm,
)
from schemas.table import FLOAT32_MAX, TableSchema, TermIndex, TermIndexKind, VectorIndex

MAX_TERMS = 1024
MAX_VECTORS = 1024


def terms(node: BoolNode | None) -> Iterator[Term]:
    """The tree's terms from left to right."""
    match node:
        case None:
            return
        case VectorTerm() | TextTerm() | NumberTerm():
            yield node
        case And(items) | Or(items) | AtLeast(items):
            for item in items:
                yield from terms(item)
        case AndNot():
            yield from terms(node.keep)
            yield from terms(node.drop)
        case RankNode():
            for item in (node.keep, *node.boosts):
                yield from terms(item)


def vector_terms(node: BoolNode | None) -> Iterator[VectorTerm]:
    """The tree's vector terms from left to right."""
    return (term for term in terms(node) if isinstance(term, VectorTerm))


def scored_terms(node: BoolNode | None) -> Iterator[VectorTerm]:
    """Vector terms whose scores a row keeps: not those that only take rows away."""
    match node:
        case AndNot():
            yield from scored_terms(node.keep)
        case And(items) | Or(items) | AtLeast(items):
            for item in items:
                yield from scored_terms(item)
        case RankNode():
            for item in (node.keep, *node.boosts):
                yield from scored_terms(item)
        case _:
            yield from vector_terms(node)


def check_query(node: BoolNode | None, schema: TableSchema) -> None:
    """Raises RequestError 1005, 1010, 1013, 1014, 1016, 1017, 1033 and what a term's categories may raise."""
    found = list(terms(node))
    if len(found) > MAX_TERMS:
        raise RequestError(f"{len(found)} terms, the most is {MAX_TERMS}", code=HaCode.QUERY_INVALID)
    _check_counts(node)
    for term in found:
        match term:
            case VectorTerm():
                _check_vector_term(term, schema)
            case TextTerm():
                _check_text_term(term, schema)
            case NumberTerm():
                _check_number_term(term, schema)


def _check_counts(node: BoolNode | None) -> None:
    """Of every AtLeast in the tree."""
    nodes = [] if node is None else [node]
    while nodes:
        match nodes.pop():
            case AtLeast(items, count, span):
                _check_count(items, count, span)
                nodes += items
            case And(items) | Or(items):
                nodes += items
            case AndNot(keep, drop):
                nodes += (keep, drop)
            case RankNode(keep, boosts):
                nodes += (keep, *boosts)


def _check_count(items: Sequence[BoolNode], count: int, span: Span | None) -> None:
    if not 1 <= count <= len(items):
        message = f"at least {excerpt(str(count))} of {len(items)}: it must be 1 to {len(items)}"
        raise RequestError(message, code=HaCode.QUERY_INVALID, span=span)
    searched = next((term for item in items for term in vector_terms(item)), None)
    if searched is not None and 1 < count < len(items):
        message = f"index {searched.index!r} is searched by vectors: at least one or all of {len(items)}, not {count}"
        raise RequestError(message, code=HaCode.INDEX_TYPE_INVALID, span=span or searched.span)


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


def _vector_index(term: VectorTerm, schema: TableSchema) -> VectorIndex:
    found = schema.vector_indexes.get(term.index)
    if found is None:
        raise _no_index(term, schema, "by vectors", schema.vector_indexes)
    return found


def _term_index(term: TextTerm | NumberTerm, schema: TableSchema, *kinds: TermIndexKind) -> TermIndex:
    found = schema.term_indexes.get(term.index)
    if found is None or found.kind not in kinds:
        fitting = [index.name for index in schema.term_indexes.values() if index.kind in kinds]
        raise _no_index(term, schema, "by numbers" if "NUMBER" in kinds else "by words", fitting)
    return found


def _no_index(term: Term, schema: TableSchema, how: str, fitting: Iterable[str]) -> RequestError:
    known = ", ".join(fitting) or "none"
    if term.index in schema.vector_indexes or term.index in schema.term_indexes:
        message, code = f"index {term.index!r} is not searched {how}; such are: {known}", HaCode.INDEX_TYPE_INVALID
    else:
        message, code = f"no index {term.index!r}; searched {how}: {known}", HaCode.INDEX_NOT_EXIST
    return RequestError(message, code=code, span=term.span)


def _check_vector_term(term: VectorTerm, schema: TableSchema) -> None:
    index = _vector_index(term, schema)
    if not 1 <= term.n <= MAX_N:
        raise RequestError(
            f"n is {excerpt(str(term.n))}, it must be 1 to {MAX_N}", code=HaCode.OVER_RETURN_HITS_LIMIT, span=term.span
        )
    _check_weight(term)
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
        if not all(map(FLOAT32_MAX.__ge__, map(abs, vector))):
            raise RequestError("a query vector holds finite 32-bit numbers", code=HaCode.QUERY_INVALID, span=span)


def _check_text_term(term: TextTerm, schema: TableSchema) -> None:
    index = _term_index(term, schema, "TEXT", "STRING")
    _check_weight(term)
    if term.fields or term.all_fields:
        _check_fields(term, index)
    if index.kind == "TEXT":
        check_words(term.text, term.span)
    elif not term.text:
        raise RequestError("the text to search for is empty", code=HaCode.NULL_QUERY, span=term.span)


def _check_fields(term: TextTerm, index: TermIndex) -> None:
    if len(index.fields) == 1:
        message = f"index {term.index!r} has one field: none of several can be chosen"
        raise RequestError(message, code=HaCode.INDEX_TYPE_INVALID, span=term.span)
    for name in term.fields:
        if name not in index.fields:
            message = f"index {term.index!r} has no field {excerpt(name)!r}; it has: {', '.join(index.fields)}"
            raise RequestError(message, code=HaCode.INDEX_FIELD_INVALID, span=term.span)


def _check_number_term(term: NumberTerm, schema: TableSchema) -> None:
    index = _term_index(term, schema, "NUMBER")
    _check_weight(term)
    ends = [end for end in (term.low, term.high) if end is not None]
    if not ends:
        raise _wrong_range("a range needs a low or a high end", term)
    if not all(is_finite(end) and not isinstance(end, bool) for end in ends):
        raise _wrong_range("the ends of a range are finite numbers", term)
    whole = all(schema.fields[field].type.is_integer for field in index.fields)
    if term.low is not None and term.high is not None and _is_empty(term.low, term.high, term, whole=whole):
        left, right = "(["[term.include_low], ")]"[term.include_high]
        raise _wrong_range(f"no number is in {left}{excerpt(str(term.low))}, {excerpt(str(term.high))}{right}", term)


def _is_empty(low: float, high: float, term: NumberTerm, *, whole: bool) -> bool:
    if low < high:
        first = math.floor(low) + 1 if not term.include_low else math.ceil(low)
        last = math.ceil(high) - 1 if not term.include_high else math.floor(high)
        return whole and first > last
    return low > high or not (term.include_low and term.include_high)


def _wrong_range(message: str, term: NumberTerm) -> RequestError:
    return RequestError(message, code=HaCode.NUMBER_RANGE_ERROR, span=term.span)


def _check_weight(term: Term) -> None:
    if not (math.isfinite(term.weight) and term.weight >= 0):
        message = f"a weight is a finite number of at least 0, not {term.weight}"
        raise RequestError(message, code=HaCode.QUERY_INVALID, span=term.span)
