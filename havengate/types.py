"""Types that cross rooms: the plan, the rows and the answers.

Everything here is frozen and knows no dialect, no engine and no model. Trees are n-ary where the
language is associative, so that a long chain of ORs stays shallow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar
from typing import Literal as OneOf

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    Vector = npt.NDArray[np.float32]
    """One embedding: shape [dimension], float32."""

Scalar = str | int | float
Value = Scalar | list[Scalar] | dict[str, Scalar | list[Scalar]]
"""What a stored field holds: one value, a multi-value list, or a MAP's open key-values."""

NodeT = TypeVar("NodeT")


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open character range [start, end) in the text that a request came in."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class And(Generic[NodeT]):
    items: tuple[NodeT, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Or(Generic[NodeT]):
    items: tuple[NodeT, ...]
    span: Span | None = None


# --- filter expressions --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """A stored field, or a path into a MAP field: ``tags.color`` is ``Field("tags", "color")``."""

    name: str
    path: str | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Literal:
    value: Scalar
    span: Span | None = None


CompareOp = OneOf["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Compare:
    """``left op right``; false when either side is missing; on a multi-value field any value may match."""

    op: CompareOp
    left: Operand
    right: Operand
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class In:
    field: Field
    values: tuple[Literal, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Not:
    """Three-valued negation: NOT of a comparison with a missing value stays false."""

    item: Expr
    span: Span | None = None


Operand = Field | Literal
Expr = Compare | In | And["Expr"] | Or["Expr"] | Not

# --- query tree ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VectorPayload:
    """One or more query vectors as plain numbers, each [dimension] long; the best score counts."""

    vectors: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class TextPayload:
    """Words to be embedded, already decoded."""

    text: str


@dataclass(frozen=True, slots=True)
class PicturePayload:
    """A picture to be embedded: its Base64 text as it came (data URI, URL-safe, blanks for ``+`` allowed)."""

    base64: str


@dataclass(frozen=True, slots=True)
class StoredIdPayload:
    """The stored vector of the row with this primary key."""

    pk: str


Payload = VectorPayload | TextPayload | PicturePayload | StoredIdPayload

DEFAULT_N = 100
MAX_N = 10_000


@dataclass(frozen=True, slots=True)
class VectorTerm:
    """The n nearest rows of one vector index.

    score_threshold keeps squared distances below it, or inner products above it.
    categories restricts the search to rows whose category field (the index's) holds one of them.
    """

    index: str
    payload: Payload
    n: int = DEFAULT_N
    score_threshold: float | None = None
    search_params: Mapping[str, object] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class AndNot:
    """Rows of ``keep`` that are not in ``drop``; scores are those of ``keep``."""

    keep: BoolNode
    drop: BoolNode
    span: Span | None = None


BoolNode = VectorTerm | And["BoolNode"] | Or["BoolNode"] | AndNot

# --- the plan ------------------------------------------------------------------------------------

PLAN_VERSION = 1
FilterMode = OneOf["pre", "post"]


@dataclass(frozen=True, slots=True)
class Rank:
    """What RANK means.

    ``proxima_index`` set: RANK is the vendor's distance on that index (formula proxima_score(index)).
    Unset: RANK is a similarity, larger is better: 1/(1+distance), or the inner product itself.
    """

    proxima_index: str | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class SortKey:
    """One sort key; ``field`` None stands for RANK."""

    field: Field | None
    descending: bool
    span: Span | None = None


DEFAULT_SORT = (SortKey(field=None, descending=True),)


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """One search, in no dialect. ``query`` None searches all rows that match the filter.

    ``output_fields`` None returns every stored field but vectors and Base64 pictures; those come only
    when they are named.
    """

    table: str
    query: BoolNode | None = None
    filter: Expr | None = None
    filter_mode: FilterMode = "pre"
    rank: Rank = Rank()
    sort: tuple[SortKey, ...] = DEFAULT_SORT
    offset: int = 0
    limit: int = 10
    output_fields: tuple[str, ...] | None = None
    warnings: tuple[str, ...] = ()


# --- rows and answers ----------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Pool:
    """The n best rows of one vector term, or all rows of a search without one.

    ``frame`` holds the columns PK (Utf8), KEY (the key in its own type, for numeric order), SCORE (Float64,
    the vendor's number; absent without a vector term), FIELDS (the row's stored fields as JSON text, of the same
    moment as everything else) and every attribute column asked for. ``matched`` counts the rows that match the
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
    has one value per sort key, in their order.
    """

    pk: str
    fields: Mapping[str, Value]
    score: float | None
    sort_values: tuple[Scalar | None, ...]
    vectors: Mapping[str, Vector] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of a pool. ``total`` is the size of the pool, ``timings`` are seconds by stage."""

    hits: tuple[Hit, ...]
    total: int
    certificates: tuple[Certificate, ...] = ()
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
