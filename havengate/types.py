"""Types that cross rooms: the plan (havengate.plan), its conditions (havengate.expr), the rows and the answers.

Everything is frozen and knows no dialect, no engine and no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from typing import Literal as OneOf

from havengate.expr import (
    And,
    Arith,
    ArithOp,
    AtLeast,
    Call,
    Compare,
    CompareOp,
    Contains,
    Exists,
    Expr,
    Field,
    FunctionName,
    In,
    InPolygon,
    Literal,
    Match,
    Not,
    Operand,
    Or,
    Range,
    Scalar,
    Span,
    operand_text,
)
from havengate.plan import (
    DEFAULT_N,
    DEFAULT_SORT,
    MAX_N,
    PLAN_VERSION,
    Aggregate,
    AggregateFunction,
    AggregateName,
    AndNot,
    BoolNode,
    Distinct,
    FilterMode,
    NumberTerm,
    Payload,
    PicturePayload,
    Rank,
    RankNode,
    SearchPlan,
    SortKey,
    StoredIdPayload,
    Term,
    TextPayload,
    TextTerm,
    Variable,
    VectorPayload,
    VectorTerm,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    Vector = npt.NDArray[np.float32]
    """One embedding: shape [dimension], float32."""

Value = Scalar | list[Scalar] | dict[str, Scalar | list[Scalar]]
"""What a stored field holds: one value, a multi-value list, or a MAP's open key-values."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row as an engine keeps it.

    pk       canonical text of the primary key (integers in decimal, without sign or zeros to spare)
    fields   stored values by field name, the primary key included; missing fields are left out
    vectors  float32 vector by vector field
    sources  by vector field, the content hash of the picture that its vector was made from
    """

    pk: str
    fields: Mapping[str, Value]
    vectors: Mapping[str, Vector] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


Strategy = OneOf["exact", "ann", "ann+exact"]

# Columns of a pool's frame beside its attributes; no field can have such a name.
PK, KEY, SCORE, FIELDS = "#pk", "#key", "#score", "#fields"
MARK = "#mark:"
"""Begins the names of the columns of marks: ``#mark:0`` and so on."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The n best rows of one vector term, or all rows of a search without one.

    ``frame`` holds the columns PK (Utf8), KEY (the key in its own type, for numeric order), SCORE (Float64,
    the vendor's number; absent without a vector term), FIELDS (the row's stored fields as JSON text, of the same
    moment as everything else), every attribute column asked for (engines/frames/columns.py) and a Boolean column
    ``#mark:<i>`` for each mark asked for. ``matched`` counts the rows that match the
    filter and hold a vector in the index; ``cut_by`` names what kept rows out beyond that.
    """

    frame: pl.DataFrame
    matched: int
    strategy: Strategy = "exact"
    cut_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Certificate:
    """Proof of the count: returned = min(requested, matched) unless ``cut_by`` names what cut it."""

    index: str
    requested: int
    matched: int
    returned: int
    strategy: Strategy
    cut_by: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One row of the page.

    ``score`` is the vendor's number on the hit's index (None without a vector term); ``sort_values``
    has one value per sort key, in their order. ``variables`` are the plan's, 1 and 0 for a truth; missing ones are left
    out.
    """

    pk: str
    fields: Mapping[str, Value]
    score: float | None
    sort_values: tuple[Scalar | None, ...]
    vectors: Mapping[str, Vector] = field(default_factory=dict)
    variables: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """One group of an aggregate: its key (the text ``a~b`` for a range), and a value for each function."""

    keys: tuple[Scalar, ...]
    values: tuple[Scalar | None, ...]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """An aggregate's answer; ``groups`` has at most max_group of the ``total`` groups that there are."""

    aggregate: Aggregate
    groups: tuple[Group, ...]
    total: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of a pool. ``total`` is the size of the pool, ``timings`` are seconds by stage."""

    hits: tuple[Hit, ...]
    total: int
    certificates: tuple[Certificate, ...] = ()
    aggregations: tuple[Aggregation, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What made a vector index's numbers.

    ``space`` (picture tower, revision, preprocessing, dimension, text towers) must be the same for rows
    and queries; ``numerics`` (runtime and precision) is recorded and may differ.
    """

    space: str
    numerics: str


__all__ = [
    "DEFAULT_N",
    "DEFAULT_SORT",
    "FIELDS",
    "KEY",
    "MARK",
    "MAX_N",
    "PK",
    "PLAN_VERSION",
    "SCORE",
    "Aggregate",
    "AggregateFunction",
    "AggregateName",
    "Aggregation",
    "And",
    "AndNot",
    "Arith",
    "ArithOp",
    "AtLeast",
    "BoolNode",
    "Call",
    "Certificate",
    "Compare",
    "CompareOp",
    "Contains",
    "Distinct",
    "Exists",
    "Expr",
    "Field",
    "FilterMode",
    "Fingerprint",
    "FunctionName",
    "Group",
    "Hit",
    "In",
    "InPolygon",
    "Literal",
    "Match",
    "Not",
    "NumberTerm",
    "Operand",
    "Or",
    "Payload",
    "PicturePayload",
    "Pool",
    "Range",
    "Rank",
    "RankNode",
    "Row",
    "Scalar",
    "SearchPlan",
    "SearchResult",
    "SortKey",
    "Span",
    "StoredIdPayload",
    "Strategy",
    "Term",
    "TextPayload",
    "TextTerm",
    "Value",
    "Variable",
    "VectorPayload",
    "VectorTerm",
    "operand_text",
]
