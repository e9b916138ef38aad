"""What every engine refuses before it searches, with the same codes."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from havengate.codes import HaCode
from havengate.errors import RequestError, SchemaError
from havengate.types import Field
from schemas.table import FieldSpec, FieldType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engines.contract import PoolQuery
    from schemas.table import TableSchema, VectorIndex

_TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
DEEPEST = 200
OPERATORS = frozenset({"=", "!=", "<", "<=", ">", ">="})


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


def check_columns(schema: TableSchema, names: Iterable[str]) -> None:
    for name in names:
        if name not in schema.attribute_fields:
            raise RequestError(f"no attribute field {name!r}", code=HaCode.ATTRIBUTE_NOT_EXIST)


def spec_of(field: Field, schema: TableSchema) -> FieldSpec:
    """Raises RequestError for an unknown field, a MAP without a key, and a key of what is no MAP."""
    spec = schema.attribute_fields.get(field.name)
    if spec is None:
        raise RequestError(f"no attribute field {field.name!r}", code=HaCode.ATTRIBUTE_NOT_EXIST, span=field.span)
    if (spec.type is FieldType.MAP) != (field.path is not None):
        wrong = "needs the key to compare" if spec.type is FieldType.MAP else f"has no key {field.path!r}"
        raise RequestError(f"field {field.name!r} {wrong}", code=HaCode.ATTRIBUTE_NOT_EXIST, span=field.span)
    return spec


def single_spec_of(field: Field, schema: TableSchema) -> FieldSpec:
    """As ``spec_of``; raises RequestError where the field may hold several values, too."""
    spec = spec_of(field, schema)
    if spec.multi_value or spec.type is FieldType.MAP:
        raise RequestError(
            f"field {field.name!r} holds several values and compares with literals only",
            code=HaCode.EXPRESSION_WITH_MULTI_VALUE,
            span=field.span,
        )
    return spec


def require_operator(op: str) -> None:
    if op not in OPERATORS:
        raise RequestError(f"unknown operator {op!r}", code=HaCode.FILTER_CLAUSE)


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


def rounded(value: float, *, single: bool) -> float:
    """The nearest number of FLOAT (``single``) or DOUBLE; infinite beyond its range."""
    try:
        number = float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    with np.errstate(over="ignore"):
        return float(np.float32(number)) if single else number


def _invalid(message: str) -> RequestError:
    return RequestError(message, code=HaCode.QUERY_INVALID)
