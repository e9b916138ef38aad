"""The plan of one search, in no dialect: a tree of terms, a condition, and what becomes of the pool. Frozen.

Trees are n-ary where the language is associative, so that a long chain of ORs stays shallow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal as OneOf

from havengate.expr import And, AtLeast, Expr, Operand, Or, Span


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
    """A picture to be embedded: its Base64 text as it came (data URI, URL-safe, blanks for ``+`` allowed).

    ``crop`` searches by its main object instead of the whole picture.
    """

    base64: str
    crop: bool = False


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
    weight multiplies what the term adds to RANK without a formula; the pool stays the same.
    """

    index: str
    payload: Payload
    n: int = DEFAULT_N
    score_threshold: float | None = None
    search_params: Mapping[str, object] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    span: Span | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class TextTerm:
    """Rows whose TEXT, STRING or PACK index holds the words; ``weight`` is what a row gains in RANK by it.

    Words are found as Match finds them, in any of the index's fields; a STRING index takes the whole text.
    ``fields`` narrows a PACK index to some of its fields: any of them may hold the words, or under ``all_fields`` each
    must hold all of them.
    """

    index: str
    text: str
    phrase: bool = False
    weight: float = 1.0
    fields: tuple[str, ...] = ()
    all_fields: bool = False
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class NumberTerm:
    """Rows that have a number between ``low`` and ``high`` in a NUMBER index; None is an open end."""

    index: str
    low: int | float | None = None
    high: int | float | None = None
    include_low: bool = True
    include_high: bool = True
    weight: float = 1.0
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class AndNot:
    """Rows of ``keep`` that are not in ``drop``; scores are those of ``keep``."""

    keep: BoolNode
    drop: BoolNode
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class RankNode:
    """Rows of ``keep``; what matches of ``boosts``, term by term, adds to their RANK."""

    keep: BoolNode
    boosts: tuple[BoolNode, ...]
    span: Span | None = None


Term = VectorTerm | TextTerm | NumberTerm
BoolNode = Term | And["BoolNode"] | Or["BoolNode"] | AtLeast["BoolNode"] | AndNot | RankNode
"""AtLeast is of terms without vectors; one that matches adds its weight to RANK as under OR."""

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
    """One sort key; ``by`` None stands for RANK."""

    by: Operand | None
    descending: bool
    span: Span | None = None


DEFAULT_SORT = (SortKey(by=None, descending=True),)


AggregateName = OneOf["count", "sum", "max", "min", "distinct_count"]


@dataclass(frozen=True, slots=True)
class AggregateFunction:
    """``value`` is None for count only. Missing values count nowhere but in count.

    It is one value; of a multi-value field distinct_count alone counts the values.
    """

    name: AggregateName
    value: Operand | None = None


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Groups of the pool's rows, the largest first, then by key; rows without a key belong to no group.

    A row with a multi-value key belongs to the group of each of its values. ``ranges`` a, b, c of a single key
    of numbers make the groups (..., a), [a, b), [b, c) and [c, ...). ``filter`` keeps rows out of this aggregate alone.
    """

    keys: tuple[Operand, ...]
    functions: tuple[AggregateFunction, ...]
    ranges: tuple[int | float, ...] = ()
    filter: Expr | None = None
    max_group: int = 1000
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Distinct:
    """Of rows with one key the best ``count`` come first, then the next ``count``, for ``times`` rounds.

    What is left follows in its own order, or is dropped unless ``reserved``; ``update_total`` takes dropped rows
    out of the total, too. Rows that match ``filter`` or have no key stand with the first round. ``grades`` are limits
    of the first sort key: rounds are made within each grade, and a better grade comes first.
    """

    key: Operand
    count: int = 1
    times: int = 1
    reserved: bool = True
    filter: Expr | None = None
    update_total: bool = False
    grades: tuple[float, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """A value or a truth that is computed for every hit and returned under a name."""

    name: str
    value: Operand | Expr
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """One search, in no dialect. ``query`` None searches all rows that match the filter.

    distinct       each goes over the rows as the one before it left them
    output_fields  None returns every stored field but vectors and Base64 pictures; those come only when they are named
    timeout_s      seconds after which the search gives up
    notes          what the request says that has no effect here, for its trace
    """

    table: str
    query: BoolNode | None = None
    filter: Expr | None = None
    filter_mode: FilterMode = "pre"
    rank: Rank = Rank()
    sort: tuple[SortKey, ...] = DEFAULT_SORT
    distinct: tuple[Distinct, ...] = ()
    aggregates: tuple[Aggregate, ...] = ()
    offset: int = 0
    limit: int = 10
    output_fields: tuple[str, ...] | None = None
    variables: tuple[Variable, ...] = ()
    timeout_s: float | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
