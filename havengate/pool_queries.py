"""What a plan asks an engine: one query for every pool of its tree. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines.contract import PoolQuery, RowsQuery
from havengate.bind import category_filter
from havengate.query_tree import (
    Leaf,
    Nearest,
    Rows,
    Source,
    Weights,
    giving_leaves,
    leaves,
    reduce_tree,
    weights,
)
from havengate.rank import is_distance
from havengate.term_conditions import all_of
from havengate.types import Expr, Field, Operand, SearchPlan
from havengate.variables import is_stored
from schemas.table import TableSchema

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Questions:
    """A bound plan, and the pools that its answer is made of.

    giving    leaves whose rows may stand in the answer
    columns   fields that sorting, distinct, aggregates and variables look at
    paged     whether the engine itself sorts and pages
    as_found  the only leaf, where its pool is the answer in the order that it comes in
    """

    plan: SearchPlan
    schema: TableSchema
    source: Source
    giving: frozenset[Leaf]
    weights: Weights
    columns: tuple[str, ...]
    paged: bool
    as_found: Nearest | None

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Every pool to ask for."""
        return tuple(leaves(self.source))

    @property
    def vector_leaves(self) -> tuple[Nearest, ...]:
        """In the order of the query's vector terms."""
        return tuple(leaf for leaf in self.leaves if isinstance(leaf, Nearest))


def questions(plan: SearchPlan, schema: TableSchema) -> Questions:
    """Raises RequestError for an unknown node or index."""
    source = reduce_tree(plan.query, schema)
    weighed = weights(plan.query, schema) if _rank_is_a_sum(plan) else Weights()
    return Questions(
        plan=plan,
        schema=schema,
        source=source,
        giving=frozenset(giving_leaves(source)),
        weights=weighed,
        columns=_columns(plan),
        paged=isinstance(source, Rows) and not weighed.marks and _is_plain(plan, schema),
        as_found=_as_found(plan, source, schema) if weighed == Weights() else None,
    )


def pool_query(asked: Questions, leaf: Nearest, vectors: npt.NDArray[np.float32]) -> PoolQuery:
    """``vectors`` float32 [m, dimension].

    The query's conditions choose the rows that a term searches at all; filter_mode is about the filter alone.
    """
    plan, term, gives = asked.plan, leaf.term, leaf in asked.giving
    categories = category_filter(term, asked.schema)
    within = leaf.conditions if categories is None else (categories, *leaf.conditions)
    return PoolQuery(
        index=term.index,
        vectors=vectors,
        n=term.n,
        score_threshold=term.score_threshold,
        filter=plan.filter,
        filter_mode=plan.filter_mode,
        within=all_of(within) if within else None,
        columns=asked.columns if gives else (),
        marks=_marks(asked) if gives else (),
    )


def rows_query(asked: Questions, leaf: Rows, *, most: int) -> RowsQuery:
    """``most`` limits the rows of an answer that is sorted and paged here."""
    plan = asked.plan
    conditions = leaf.conditions if plan.filter is None else (plan.filter, *leaf.conditions)
    condition = all_of(conditions) if conditions else None
    if asked.paged:
        # RANK is the same for all rows then.
        order = tuple(key for key in plan.sort if key.by is not None)
        return RowsQuery(condition, asked.columns, order=order, limit=plan.offset + plan.limit)
    gives = leaf in asked.giving
    columns, marks = (asked.columns, _marks(asked)) if gives else ((), ())
    return RowsQuery(condition, columns, marks, most=most)


def _marks(asked: Questions) -> tuple[Expr, ...]:
    return tuple(condition for condition, _ in asked.weights.marks)


def _rank_is_a_sum(plan: SearchPlan) -> bool:
    return plan.rank.proxima_index is None and any(key.by is None for key in plan.sort)


def _is_plain(plan: SearchPlan, schema: TableSchema) -> bool:
    """Whether an engine can sort and page by itself: by stored fields, and nothing else looks at the rows."""
    fields = [key.by for key in plan.sort if key.by is not None]
    plain = all(isinstance(by, Field) and not schema.fields[by.name].multi_value for by in fields)
    return plain and not plan.distinct and not plan.aggregates


def _as_found(plan: SearchPlan, source: Source, schema: TableSchema) -> Nearest | None:
    """The source where an engine's own order, best score first and then by key, is the order asked for."""
    if not isinstance(source, Nearest) or plan.distinct or plan.aggregates:
        return None
    smaller_first = plan.rank.proxima_index is not None and is_distance(source.term.index, schema)
    best_first = len(plan.sort) == 1 and plan.sort[0].by is None and plan.sort[0].descending != smaller_first
    return source if best_first else None


def _columns(plan: SearchPlan) -> tuple[str, ...]:
    from engines.frames.marks import fields_of

    return tuple(dict.fromkeys(name for part in _parts(plan) for name in fields_of(part)))


def _parts(plan: SearchPlan) -> Iterator[Expr | Operand]:
    """Every condition and operand that the pool stage computes."""
    yield from (key.by for key in plan.sort if key.by is not None)
    for distinct in plan.distinct:
        yield distinct.key
        if distinct.filter is not None:
            yield distinct.filter
    for aggregate in plan.aggregates:
        yield from aggregate.keys
        yield from (function.value for function in aggregate.functions if function.value is not None)
        if aggregate.filter is not None:
            yield aggregate.filter
    yield from (variable.value for variable in plan.variables if not is_stored(variable.value))
