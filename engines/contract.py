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

A table is a series of generations, of which one is current. Wherever a method takes ``name``, a table's name means its
current generation, and an address (``at``) means that one of its generations, whether it is current or not; only
methods that speak of a table as a whole (create, drop, generations) take no address.

Expressions that reach an engine were bound by havengate.bind: fields exist, literals have the field's type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from havengate.types import Expr, FilterMode, Fingerprint, Pool, Row, SortKey
from schemas.settings import TableSettings
from schemas.table import TableSchema

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from havengate.types import Vector

_AT = "@"
"""No table's name has it."""


def at(table: str, generation: str) -> str:
    """The address of one generation of a table."""
    return f"{table}{_AT}{generation}"


def table_of(address: str) -> str:
    """The table's name in an address, or the name itself."""
    return address.partition(_AT)[0]


def generation_of(address: str) -> str | None:
    """The generation in an address; None for a table's name."""
    _, separator, generation = address.partition(_AT)
    return generation if separator else None


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table's schema (resolved, and the vendor's JSON as it came), settings and fingerprints by index.

    name        the table's name, or the address of the generation that was asked for
    generation  whose specification this is, where an engine gave it; "" for one that is still to be created
    """

    name: str
    schema: TableSchema
    vendor_schema: Mapping[str, object]
    settings: TableSettings
    fingerprints: Mapping[str, Fingerprint]
    generation: str = ""

    @property
    def table(self) -> str:
        """The plain name, under which pictures are kept."""
        return table_of(self.name)

    @property
    def expects(self) -> str | None:
        """The generation that has to be current still for what was made by this specification; None at an address."""
        return None if generation_of(self.name) is not None else self.generation or None


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
    generation       the one that the vectors were made for; Moved where another is current by now
    exact            all rows that the n best are chosen from are compared, however many there are
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
    generation: str | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class RowsQuery:
    """Rows that match, without a vector term.

    columns, marks, deadline_s, generation  as a PoolQuery's
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
    generation: str | None = None


@dataclass(frozen=True, slots=True)
class TableStats:
    rows: int
    vectors: Mapping[str, int]
    bytes: int


@dataclass(frozen=True, slots=True)
class Generation:
    """One build of a table, by a name that sorts by age within the table (g1, g2, ... g10 by their numbers).

    building  it has not been current yet: somebody fills it, or gave up
    """

    name: str
    rows: int
    current: bool
    building: bool = False


Published = Literal["changes", "slow-searches"]
"""What people look at beside tables: the change history (until they remove it), and searches that took long."""

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

    def upsert(self, name: str, rows: Sequence[Row], *, generation: str | None = None) -> None:
        """Insert or replace whole rows; of two rows with one key the later wins.

        Where ``generation`` is given and another one is current by now, nothing is written. Raises Moved then.
        """

    def update_fields(self, name: str, patches: Sequence[Row], *, generation: str | None = None) -> list[str]:
        """Merge fields, vectors and sources into rows that exist; returns the keys that do not, in order.

        ``generation`` as for ``upsert``.
        """

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

    def scan(self, name: str, after: str | None, limit: int) -> list[Row]:
        """The next rows after the key ``after`` (None: the first), with vectors and sources, at most ``limit``.

        In an order by key of the engine's own that never changes, so that whoever stops goes on from the last key.
        """

    def mark(self, name: str) -> str:
        """A text that stands for this moment: every write that was acknowledged is before it."""

    def touched(self, name: str, mark: str) -> list[str]:
        """Keys that were written or deleted since the mark, each once; some of before may be among them.

        Deleted are also those that were not there.
        What each has become is asked by ``fetch``: a key that is not there was deleted. ``mark`` was made for the same
        generation.
        """

    def generations(self, name: str) -> list[Generation]:
        """Oldest first; exactly one is current, at most one is being built (the newest)."""

    def build_generation(self, name: str, spec: TableSpec) -> str:
        """A new, empty generation of that specification; returns its name.

        It is filled by its address, stays through restarts until it is used or dropped, and searches of the table do
        not see it. Raises Busy where one is being built already.
        """

    def use_generation(self, name: str, generation: str, last: Callable[[], None] | None = None) -> None:
        """Makes another generation the current one, at one instant.

        Writes of the table wait, or fail with Busy and leave nothing, while ``last`` runs and until it is done, so
        that ``last`` can bring the other generation up to date; it may read all and write to addresses. When it
        raises, or the process dies, nothing has changed. Searches never wait and never fail; the former generation
        stays until it is dropped. Where it is the current one already, nothing is done and ``last`` does not run.
        Raises UnknownGeneration, Busy.
        """

    def hold(self, name: str, call: Callable[[], None]) -> None:
        """Runs ``call`` while writes of the table wait, or fail with Busy; searches go on. Raises Busy."""

    def drop_generation(self, name: str, generation: str) -> None:
        """Raises UnknownGeneration, RequestError for the current one."""

    def publish(self, kind: Published, key: str, document: Mapping[str, object]) -> None:
        """Puts a document where people look at the engine's data, if there is such a place.

        ``key`` names it within its kind: publishing it again replaces it. ``document`` is JSON, with the seconds of the
        epoch as ``at``. Raises EngineError.
        """

    def close(self) -> None: ...
