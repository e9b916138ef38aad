"""What every engine refuses before it searches, with the same codes."""

from __future__ import annotations

import math
import re
import struct
from typing import TYPE_CHECKING

import numpy as np

from havengate.codes import HaCode
from havengate.errors import RequestError, SchemaError, excerpt
from havengate.types import CompareOp, Contains, Field, Match, Range, Scalar, SortKey, Span
from schemas.table import FieldSpec, FieldType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engines.contract import PoolQuery, RowsQuery
    from schemas.table import TableSchema, VectorIndex

_TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
DEEPEST = 200
_SINGLE = struct.Struct("<f")
OPERATORS = frozenset({"=", "!=", "<", "<=", ">", ">="})
BITS = frozenset({"&", "|", "^"})
ARITHMETIC = BITS | {"+", "-", "*", "/"}


def is_table_name(name: str) -> bool:
    return _TABLE_NAME.fullmatch(name) is not None


def require_table_name(name: str) -> None:
    """Raises SchemaError for a name that is no plain identifier (it becomes a folder's or an index's name)."""
    if not is_table_name(name):
        raise SchemaError(f"table name {name!r}: a letter or underscore, then letters, digits, underscores; at most 64")


def index_of(schema: TableSchema, name: str) -> VectorIndex:
    """Raises RequestError naming the indexes that there are."""
    if name not in schema.vector_indexes:
        known = ", ".join(schema.vector_indexes) or "none"
        raise RequestError(f"no vector index {name!r}; there are: {known}", code=HaCode.INDEX_NOT_EXIST)
    return schema.vector_indexes[name]


def check_query(query: PoolQuery, index: VectorIndex) -> None:
    """Raises RequestError for vectors, numbers and modes that no pool can have."""
    shape = query.vectors.shape
    if len(shape) != 2 or shape[0] == 0 or shape[1] != index.dimension:  # noqa: PLR2004  a matrix
        raise _invalid(f"index {index.name!r} takes vectors [m, {index.dimension}], not {list(shape)}")
    if query.vectors.dtype != np.float32:
        raise _invalid(f"query vectors are {query.vectors.dtype} instead of float32")
    if not np.isfinite(query.vectors).all():
        raise _invalid(f"a query vector for index {index.name!r} holds NaN or infinity")
    if query.n < 1:
        raise _invalid(f"n={query.n} is not positive")
    if query.score_threshold is not None and math.isnan(query.score_threshold):
        raise _invalid("the score threshold is NaN")
    if query.filter_mode not in ("pre", "post"):
        raise _invalid(f"unknown filter mode {query.filter_mode!r}")


def check_rows_query(query: RowsQuery, schema: TableSchema) -> None:
    """Raises RequestError for columns and sort keys that the table lacks, and for a limit below zero."""
    check_columns(schema, query.columns)
    if query.limit is not None and query.limit < 0:
        raise _invalid(f"limit={query.limit} is negative")
    for key in query.order:
        sort_field(key, schema)


def sort_field(key: SortKey, schema: TableSchema) -> FieldSpec:
    """The field that rows are sorted by. Raises RequestError for what is no field of one value."""
    if not isinstance(key.by, Field):
        raise RequestError(
            f"rows are sorted by fields, not by {key.by!r}", code=HaCode.SORT_NO_DESCRIPTION, span=key.span
        )
    return single_spec_of(key.by, schema)


def require_most(matched: int, most: int | None) -> None:
    """Raises RequestError where all rows are asked for and there are more of them than ``most``."""
    if most is not None and matched > most:
        raise RequestError(
            f"{matched} rows match, and at most {most} are handled at once; narrow the filter, or ask for a page"
            " sorted by fields of the rows",
            code=HaCode.OVER_RETURN_HITS_LIMIT,
        )


def check_columns(schema: TableSchema, names: Iterable[str]) -> None:
    for name in names:
        if name not in schema.attribute_fields:
            raise RequestError(f"no attribute field {name!r}", code=HaCode.ATTRIBUTE_NOT_EXIST)


def spec_of(field: Field, schema: TableSchema, *, any_key: bool = False) -> FieldSpec:
    """Raises RequestError for an unknown field, a key of what is no MAP, and a MAP without a key unless ``any_key``."""
    spec = schema.attribute_fields.get(field.name)
    if spec is None:
        raise RequestError(f"no attribute field {field.name!r}", code=HaCode.ATTRIBUTE_NOT_EXIST, span=field.span)
    whole_map = spec.type is FieldType.MAP and field.path is None
    if (whole_map and not any_key) or (spec.type is not FieldType.MAP and field.path is not None):
        wrong = "needs the key to compare" if whole_map else f"has no key {field.path!r}"
        raise RequestError(f"field {field.name!r} {wrong}", code=HaCode.ATTRIBUTE_NOT_EXIST, span=field.span)
    return spec


def single_spec_of(field: Field, schema: TableSchema) -> FieldSpec:
    """As ``spec_of``; raises RequestError where the field may hold several values, too."""
    spec = spec_of(field, schema)
    if spec.multi_value:
        message = f"field {field.name!r} holds several values and compares with literals only"
        raise RequestError(message, code=HaCode.EXPRESSION_WITH_MULTI_VALUE, span=field.span)
    if spec.type is FieldType.MAP:
        message = f"field {field.name!r} is a MAP, whose keys have no one type"
        raise RequestError(message, code=HaCode.EXPRESSION_RESULT_UNKNOWN_TYPE, span=field.span)
    return spec


def range_spec_of(node: Range, schema: TableSchema) -> FieldSpec:
    """Raises RequestError for a field or a bound that is no number."""
    spec = spec_of(node.field, schema, any_key=True)
    if not spec.type.is_number:
        message = f"a range of field {node.field.name!r} of {spec.type.value}"
        raise RequestError(message, code=HaCode.STRING_EXPRESSION_NOT_SUPPORT, span=node.field.span)
    for bound in (node.low, node.high):
        if bound is not None:
            require_literal(bound.value)
            require_same_kind(bound.value, text=False, kind=spec.type.value)
    return spec


def contains_spec_of(node: Contains, schema: TableSchema) -> FieldSpec:
    """Raises RequestError for a single number, and for a literal of the other kind than the field's values."""
    spec = spec_of(node.field, schema)
    require_literal(node.value.value)
    if spec.type is FieldType.MAP:
        return spec
    if spec.type.is_number and not spec.multi_value:
        raise _mismatch(f"field {node.field.name!r} is one number and contains nothing", node.field)
    require_same_kind(node.value.value, text=spec.type.is_string, kind=spec.type.value)
    return spec


def match_spec_of(node: Match, schema: TableSchema) -> FieldSpec:
    """Raises RequestError for a field that is no TEXT: only that has words."""
    spec = spec_of(node.field, schema, any_key=True)
    if spec.type is not FieldType.TEXT:
        raise _mismatch(f"field {node.field.name!r} of {spec.type.value} has no words; only TEXT has", node.field)
    return spec


def require_operator(op: str) -> None:
    if op not in OPERATORS:
        raise RequestError(f"unknown operator {op!r}", code=HaCode.FILTER_CLAUSE)


def flipped(op: CompareOp) -> CompareOp:
    """The operator with its sides exchanged."""
    flips: Mapping[CompareOp, CompareOp] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
    return flips.get(op, op)


def require_literal(value: object) -> None:
    """Raises RequestError for what is no text and no number, and for NaN."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RequestError(f"{value!r} is no text and no number", code=HaCode.CONST_EXPRESSION_VALUE)
    if isinstance(value, float) and math.isnan(value):
        raise RequestError("NaN compares with nothing", code=HaCode.CONST_EXPRESSION_VALUE)


def require_same_kind(value: object, *, text: bool, kind: str) -> None:
    """Raises RequestError where text meets a number; ``kind`` names the field's type."""
    if isinstance(value, str) != text:
        raise RequestError(f"{value!r} compared with a field of {kind}", code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH)


def arithmetic_number(value: Scalar) -> int | float:
    """A literal inside arithmetic, an integer as 64 bits with a sign.

    Raises RequestError for text, NaN and integers of more than 64 bits.
    """
    require_literal(value)
    if isinstance(value, str):
        raise RequestError("arithmetic takes numbers", code=HaCode.STRING_IN_BINARY_EXPRESSION)
    integer_of_64_bits(value)
    return (value + 2**63) % 2**64 - 2**63 if isinstance(value, int) else value


def integer_of_64_bits(value: object, span: Span | None = None) -> None:
    """Raises RequestError 2011 for an integer that neither INT64 nor UINT64 holds."""
    if isinstance(value, int) and not FieldType.INT64.bounds[0] <= value <= FieldType.UINT64.bounds[1]:
        message = f"{excerpt(str(value))} has more than 64 bits"
        raise RequestError(message, code=HaCode.CONST_EXPRESSION_VALUE, span=span)


def rounded(value: float, *, single: bool) -> float:
    """The nearest number of FLOAT (``single``) or DOUBLE; infinite beyond its range."""
    try:
        number = float(value)
        # A tenth of the time that numpy takes; every number of every row that is written comes here.
        return float(_SINGLE.unpack(_SINGLE.pack(number))[0]) if single else number
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _invalid(message: str) -> RequestError:
    return RequestError(message, code=HaCode.QUERY_INVALID)


def _mismatch(message: str, field: Field) -> RequestError:
    return RequestError(message, code=HaCode.EXPRESSION_LR_TYPE_NOT_MATCH, span=field.span)
