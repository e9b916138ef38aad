"""What every engine does, and nothing more; tests/engines holds each engine to it.

- A write is durable and visible to the next search when the call returns, all rows of a call or none.
- Upserts are idempotent by primary key.
- A filter applies before the n best are chosen.
- The order is total: score (best first), then primary key (numeric for integer keys).
- Scores are the vendor's numbers computed on fp32 vectors: SquaredEuclidean is the squared distance
  (smaller is better), InnerProduct the dot product (larger is better).
- A comparison with a missing value is neither true nor, under Not, made true.
- Foreign exceptions become havengate.errors at the engine's edge.
- All methods may be called from several threads.

Expressions that reach an engine were bound by havengate.bind: fields exist, literals have the field's type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from havengate.types import Expr, FilterMode, Fingerprint, Pool, Row, SortKey
from schemas.settings import TableSettings
from schemas.table import TableSchema

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from havengate.types import Vector


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table's name, schema (resolved, and the vendor's JSON as it came), settings and fingerprints by index."""

    name: str
    schema: TableSchema
    vendor_schema: Mapping[str, object]
    settings: TableSettings
    fingerprints: Mapping[str, Fingerprint]


@dataclass(frozen=True, slots=True)
class PoolQuery:
    """The n best rows of one vector index.

    vectors          float32 [m, dimension]; a row's score is its best over the m vectors
    score_threshold  keeps squared distances below it, inner products above it
    filter_mode      "pre": filter first; "post": the n best of all rows, filtered afterwards
    within           rows that the term searches at all (its categories); always applies first
    columns          attribute fields wanted in the pool's frame
    marks            conditions of which the frame says by row whether they hold
    deadline_s       seconds that this may take; an engine that waits for others gives up then (TimedOut)
    """

    index: str
    vectors: npt.NDArray[np.float32]
    n: int
    score_threshold: float | None = None
    filter: Expr | None = None
    filter_mode: FilterMode = "pre"
    within: Expr | None = None
    columns: tuple[str, ...] = ()
    marks: tuple[Expr, ...] = ()
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class RowsQuery:
    """Rows that match, without a vector term.

    columns, marks, deadline_s  as a PoolQuery's
    order           single-valued fields to sort by, missing values last; then by primary key
    limit           only the first so many; None: all
    most            refuse (RequestError 1005) when all are asked for and more match
    """

    filter: Expr | None = None
    columns: tuple[str, ...] = ()
    marks: tuple[Expr, ...] = ()
    order: tuple[SortKey, ...] = ()
    limit: int | None = None
    most: int | None = None
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class TableStats:
    rows: int
    vectors: Mapping[str, int]
    bytes: int


@dataclass(frozen=True, slots=True)
class Generation:
    """One build of a table, by a name that sorts by age within the table (g1, g2, ... g10 by their numbers)."""

    name: str
    rows: int
    current: bool


Progress = Callable[[int, int], None]
"""Called with the number of rows done and of all."""


Explanation = Mapping[str, object]
"""JSON; long vectors and pictures are cut."""


class Engine(Protocol):
    def create_table(self, spec: TableSpec) -> None:
        """Raises TableExists."""

    def drop_table(self, name: str) -> None:
        """Raises UnknownTable."""

    def table_names(self) -> list[str]:
        """Sorted."""

    def table(self, name: str) -> TableSpec:
        """Raises UnknownTable."""

    def set_settings(self, name: str, settings: TableSettings) -> None: ...

    def upsert(self, name: str, rows: Sequence[Row]) -> None:
        """Insert or replace whole rows; of two rows with one key the later wins."""

    def update_fields(self, name: str, patches: Sequence[Row]) -> list[str]:
        """Merge fields, vectors and sources into rows that exist; returns the keys that do not, in order."""

    def delete(self, name: str, pks: Iterable[str]) -> int:
        """Number of rows that were there."""

    def fetch(self, name: str, pks: Sequence[str], vector_fields: Iterable[str] = ()) -> dict[str, Row]:
        """Rows by key, in the order asked; keys that are not there are left out. Sources always come along."""

    def vectors_by_source(self, name: str, field: str, hashes: Iterable[str]) -> dict[str, Vector]:
        """Vectors of ``field`` that were made from pictures with these content hashes."""

    def pool(self, name: str, query: PoolQuery) -> Pool:
        """The best first, then by primary key. Raises RequestError."""

    def rows(self, name: str, query: RowsQuery) -> Pool:
        """Rows that match, in order; ``matched`` is the number of all of them. Raises RequestError."""

    def explain(self, name: str, query: PoolQuery | RowsQuery, *, profile: bool = False) -> Explanation:
        """What the engine does for a query, for people to read; ``profile`` does it and adds what it took."""

    def stats(self, name: str) -> TableStats: ...

    def generations(self, name: str) -> list[Generation]:
        """Oldest first; exactly one is current."""

    def change_table(self, name: str, spec: TableSpec, progress: Progress) -> Generation:
        """A new generation with that specification and all rows, vectors and sources of the current one.

        Values of fields that ``spec`` lacks are left behind. Searches see the old generation until the new one is
        whole, then the new one; writes wait meanwhile, or fail with Busy and leave nothing. A call that fails or
        dies changes nothing. Older generations stay until they are dropped.
        """

    def use_generation(self, name: str, generation: str) -> None:
        """Makes a kept generation the current one. Raises UnknownGeneration."""

    def drop_generation(self, name: str, generation: str) -> None:
        """Raises UnknownGeneration, RequestError for the current one."""

    def close(self) -> None: ...
