"""The search use case: a plan is bound, its texts and pictures embedded, the engine asked, the pool paged."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from engines.contract import Engine, Explanation, PoolQuery, RowsQuery, TableSpec
from havengate.aggregate import aggregate
from havengate.bind import bind
from havengate.deadline import Clock, Deadline
from havengate.distinct import distinct_rows
from havengate.errors import Moved
from havengate.pool import PageRow, combine, ordered, page, page_as_found
from havengate.pool_queries import Questions, pool_query, questions, rows_query
from havengate.query_tree import Leaf, Nearest
from havengate.query_vectors import QueryVectors, stored_rows
from havengate.rank import rank
from havengate.types import (
    Aggregation,
    Certificate,
    Hit,
    Pool,
    SearchPlan,
    SearchResult,
    Value,
    VectorTerm,
)

if TYPE_CHECKING:
    from typing import Self

    from embedding.service import EmbeddingService
    from havengate.blobs import BlobStore
    from havengate.setting_groups import LimitSettings
    from havengate.types import Vector

Query = PoolQuery | RowsQuery
Watch = Callable[[TableSpec, PoolQuery, Pool], None]
ReadT = TypeVar("ReadT")
_READS = 5
NO_PICTURE = ""
"""Stands for the reference of a picture that is not kept."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A plan as one generation of its table is asked: bound to its schema, its vectors made by its models."""

    spec: TableSpec
    asked: Questions
    queries: Mapping[Leaf, Query]


class Searcher:
    """Answers plans over one engine."""

    def __init__(
        self,
        engine: Engine,
        embedding: EmbeddingService,
        blobs: BlobStore,
        limits: LimitSettings,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self._engine = engine
        self._vectors = QueryVectors(engine, embedding, limits)
        self._blobs = blobs
        self._limits = limits
        self._clock = clock
        self._watch: Watch | None = None

    def watched_by(self, watch: Watch) -> Self:
        """The same, but ``watch`` is told of every pool; it must neither wait nor raise."""
        watched = copy.copy(self)
        watched._watch = watch  # noqa: SLF001 - one of its own kind
        return watched

    def search(self, plan: SearchPlan) -> SearchResult:
        """One page of the plan's pool.

        Raises UnknownTable, RequestError (what is wrong with the plan, with its span), PictureError, ModelError,
        EngineError, of which TimedOut for a plan that took longer than its ``timeout_s``.
        """
        deadline = Deadline.after(plan.timeout_s, self._clock)
        timings: dict[str, float] = {}
        prepared: _Prepared | None = None

        def read() -> SearchResult:
            nonlocal prepared
            spec = self._engine.table(plan.table)
            if prepared is None or prepared.spec != spec:
                # Vectors of one generation's model mean nothing in another.
                prepared = self._prepared(plan, spec, timings)
                deadline.check("embed")
            return self._answer(prepared, timings, deadline)

        return unmoved(read)

    def explain(self, plan: SearchPlan, *, profile: bool = False) -> list[Explanation]:
        """What the engine does for each pool of the plan. Raises as ``search`` does."""

        def read() -> list[Explanation]:
            spec = self._engine.table(plan.table)
            queries = self._prepared(plan, spec, {}).queries.values()
            return [self._engine.explain(spec.name, query, profile=profile) for query in queries]

        return unmoved(read)

    def _prepared(self, plan: SearchPlan, spec: TableSpec, timings: dict[str, float]) -> _Prepared:
        asked = questions(bind(plan, spec.schema, window=self._limits.window), spec.schema)
        with timed(timings, "embed"):
            return _Prepared(spec, asked, self._queries(asked, spec))

    def _answer(self, prepared: _Prepared, timings: dict[str, float], deadline: Deadline) -> SearchResult:
        asked, spec = prepared.asked, prepared.spec
        pools: dict[Leaf, Pool] = {}
        with timed(timings, "engine"):
            for leaf, query in prepared.queries.items():
                pools[leaf] = self._pool(replace(query, deadline_s=deadline.left), spec)
                deadline.check("engine")
        with timed(timings, "pool"):
            rows, total, aggregations = _page(asked, pools)
        deadline.check("pool")
        with timed(timings, "fetch"):
            hits = self._hits(rows, asked.plan, spec)
        deadline.check("fetch")
        certificates = tuple(_certificate(leaf.term, pools[leaf]) for leaf in asked.vector_leaves)
        return SearchResult(hits, total, certificates, aggregations, timings, asked.plan.warnings)

    def _queries(self, asked: Questions, spec: TableSpec) -> dict[Leaf, Query]:
        """What to ask the engine for every leaf; a term that gives several leaves is embedded once."""
        terms = {id(leaf.term): leaf.term for leaf in asked.vector_leaves}
        vectors = {key: self._vectors.of(term, spec) for key, term in terms.items()}
        queries: dict[Leaf, Query] = {
            leaf: pool_query(asked, leaf, vectors[id(leaf.term)])
            if isinstance(leaf, Nearest)
            else rows_query(asked, leaf, most=self._limits.rows)
            for leaf in asked.leaves
        }
        return {leaf: replace(query, generation=spec.expects) for leaf, query in queries.items()}

    def _pool(self, query: Query, spec: TableSpec) -> Pool:
        if isinstance(query, PoolQuery):
            pool = self._engine.pool(spec.name, query)
            if self._watch is not None:
                self._watch(spec, query, pool)
            return pool
        return self._engine.rows(spec.name, query)

    def _hits(self, rows: list[PageRow], plan: SearchPlan, spec: TableSpec) -> tuple[Hit, ...]:
        names = output_names(plan.output_fields, spec)
        vectors = self._stored_vectors(rows, names, spec)
        return tuple(
            Hit(
                pk=row.pk,
                fields=resolve_fields(row.fields, names, spec, self._blobs),
                score=row.score,
                sort_values=row.sort_values,
                vectors=vectors.get(row.pk, {}),
                variables=row.variables,
            )
            for row in rows
        )

    def _stored_vectors(
        self, rows: list[PageRow], names: tuple[str, ...], spec: TableSpec
    ) -> dict[str, Mapping[str, Vector]]:
        """The named vectors by key. Raises Moved where a row is no longer the one that the pool saw."""
        vector_fields = [name for name in names if name in spec.schema.vector_fields]
        if not vector_fields:
            return {}
        stored = stored_rows(self._engine, spec, [row.pk for row in rows], vector_fields)
        if any(row.pk not in stored or stored[row.pk].fields != row.fields for row in rows):
            raise Moved(f"rows of table {spec.name!r} change faster than they can be read")
        # In one order, whatever an engine's own is.
        return {
            pk: {name: row.vectors[name] for name in vector_fields if name in row.vectors} for pk, row in stored.items()
        }


def output_names(asked: tuple[str, ...] | None, spec: TableSpec) -> tuple[str, ...]:
    """Field names that an answer holds: by default all but vectors and Base64 pictures."""
    if asked is not None:
        return asked
    return spec.schema.shown_fields


def resolve_fields(
    fields: Mapping[str, Value], names: tuple[str, ...], spec: TableSpec, blobs: BlobStore
) -> dict[str, Value]:
    """The named fields of a stored row; a picture's reference becomes the Base64 text that was pushed."""
    resolved: dict[str, Value] = {name: fields[name] for name in names if name in fields}
    for name in spec.schema.base64_fields & resolved.keys():
        key = str(resolved.pop(name))
        if key != NO_PICTURE:
            resolved[name] = blobs.get(spec.table, key).decode()
    return resolved


def _page(asked: Questions, pools: Mapping[Leaf, Pool]) -> tuple[list[PageRow], int, tuple[Aggregation, ...]]:
    """The page's rows, the size of the whole pool, and the aggregates over it."""
    plan, schema = asked.plan, asked.schema
    if asked.as_found is not None:
        found = pools[asked.as_found].frame
        return page_as_found(found, asked.as_found.term, plan, schema), found.height, ()
    frame = combine(asked.source, {leaf: pool.frame for leaf, pool in pools.items()}, schema)
    aggregations = tuple(aggregate(frame, spec, schema) for spec in plan.aggregates)
    rows = ordered(rank(frame, plan.rank, asked.weights, schema), plan.sort, schema)
    # An engine that pages gives one pool, and no distinct goes over it.
    total = sum(pool.matched for pool in pools.values()) if asked.paged else frame.height
    for distinct in plan.distinct:
        kept = distinct_rows(rows, distinct, plan.sort[0], schema)
        total -= rows.height - kept.height if distinct.update_total else 0
        rows = kept
    return page(rows, plan, schema), total, aggregations


def _certificate(term: VectorTerm, pool: Pool) -> Certificate:
    cut_by = ",".join(pool.cut_by) or None
    return Certificate(term.index, term.n, pool.matched, pool.frame.height, pool.strategy, cut_by)


def unmoved(read: Callable[[], ReadT]) -> ReadT:
    """What ``read`` returns, read again when writers moved rows or pictures away under it.

    Raises Moved when that goes on.
    """
    for _ in range(_READS - 1):
        try:
            return read()
        except Moved:
            continue
    return read()


@contextmanager
def timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    """Adds the seconds until it is left without an error: what is read again is waited for again."""
    start = time.perf_counter()
    yield
    timings[stage] = timings.get(stage, 0.0) + time.perf_counter() - start
