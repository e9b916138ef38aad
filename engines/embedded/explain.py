"""What the embedded engine does for a query, in words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from engines.checks import check_columns, check_query, check_rows_query, index_of
from engines.contract import PoolQuery
from engines.embedded.pool import matching_rows, nearest_rows
from engines.frames.filters import compile_filter

if TYPE_CHECKING:
    from engines.contract import Explanation, RowsQuery
    from engines.embedded.snapshot import Snapshot
    from havengate.types import Expr
    from schemas.table import TableSchema


def explained(snapshot: Snapshot, schema: TableSchema, query: PoolQuery | RowsQuery, *, profile: bool) -> Explanation:
    """Raises RequestError as the query itself would."""
    _check(schema, query)
    conditions = {"filter": query.filter, "within": query.within if isinstance(query, PoolQuery) else None}
    told: dict[str, object] = {
        "engine": "embedded",
        "does": _does(query),
        "rows": int(np.count_nonzero(snapshot.alive)),
        "conditions": {name: _mask(expr, schema) for name, expr in conditions.items() if expr is not None},
    }
    return told | _measured(snapshot, schema, query) if profile else told


def _check(schema: TableSchema, query: PoolQuery | RowsQuery) -> None:
    check_columns(schema, query.columns)
    if isinstance(query, PoolQuery):
        check_query(query, index_of(schema, query.index))
    else:
        check_rows_query(query, schema)


def _does(query: PoolQuery | RowsQuery) -> str:
    if isinstance(query, PoolQuery):
        where = "that match" if query.filter_mode == "pre" else "before the filter"
        return f"exact search over all vectors of index {query.index} {where}, the {query.n} best kept"
    if query.limit is None:
        return "all rows that match, by primary key"
    return f"the first {query.limit} rows that match, in the order asked"


def _mask(expr: Expr, schema: TableSchema) -> str:
    return str(compile_filter(expr, schema))


def _measured(snapshot: Snapshot, schema: TableSchema, query: PoolQuery | RowsQuery) -> dict[str, object]:
    start = time.perf_counter()
    if isinstance(query, PoolQuery):
        pool = nearest_rows(snapshot, schema, query)
    else:
        pool = matching_rows(snapshot, schema, query)
    seconds = time.perf_counter() - start
    return {"profile": {"seconds": seconds, "matched": pool.matched, "returned": pool.frame.height}}
