"""The searches for one pool as request bodies. Pure.

Every search for a pool sorts by the exact score, computed in double precision from the stored float32 numbers, then by
the key. So the approximate search and the exact one give the same numbers in the same order; they differ in the
rows that they look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engines.opensearch import scripts
from engines.opensearch.bodies import Body, marks, vector_path, with_names
from engines.opensearch.documents import ROW
from engines.opensearch.dsl import Clause, all_of, any_of, exists
from engines.opensearch.filters import compile_filter
from engines.opensearch.mapping import WINDOW, internal, key_path

if TYPE_CHECKING:
    from engines.contract import PoolQuery
    from schemas.table import TableSchema

FITS = "fits"
"""Name of the clause that tells which rows match a filter that applies afterwards."""

_FEWEST_CANDIDATES = 200
_CANDIDATES_PER_ROW = 4
_SCRIPTS = {"SquaredEuclidean": scripts.SQUARED_EUCLIDEAN, "InnerProduct": scripts.INNER_PRODUCT}


class PoolBodies:
    """Of one query: each of its conditions is compiled once, whatever the number of searches.

    base  the rows that the n best are chosen from
    """

    def __init__(self, schema: TableSchema, query: PoolQuery) -> None:
        """Raises RequestError for conditions that the table cannot answer."""
        self._query = query
        self._index = schema.vector_indexes[query.index]
        self._key = key_path(schema)
        within, chosen = (
            [] if node is None else [compile_filter(node, schema)] for node in (query.within, query.filter)
        )
        self._before, self._after = (within, chosen) if query.filter_mode == "post" else ([*within, *chosen], [])
        self._marks = marks(schema, query.marks)
        self.base: Clause = all_of([exists(vector_path(self._index)), *self._before])

    def approximate(self, *, widest: bool = False) -> Body:
        """The n best of the graph's candidates; ``widest`` asks for as many of those as an index gives."""
        inside = {"filter": all_of(self._before)} if self._before else {}
        asked = max(_CANDIDATES_PER_ROW * self._query.n, _FEWEST_CANDIDATES)
        k = WINDOW if widest else min(WINDOW, asked)
        field = internal("vectors", self._index.field)
        searches = [{"knn": {field: {"vector": vector, "k": k, **inside}}} for vector in self._query.vectors.tolist()]
        return self._best(any_of(searches), total=False)

    def exact(self) -> Body:
        """The n best of all rows that the pool is chosen from, and how many those are."""
        return self._best(self.base, total=True)

    def count_base(self) -> Body:
        """How many rows the n best are chosen from."""
        return _count(self.base)

    def count_matched(self) -> Body:
        """How many rows match the filter and hold a vector in the index."""
        return _count(all_of([self.base, *self._after]))

    def first(self) -> dict[str, Body]:
        """The searches of the first round trip, by name; the last of them counts the rows that match."""
        matched = {"count_matched": self.count_matched()} if self._query.filter_mode == "post" else {}
        if self._query.exact:
            return {"exact": self.exact(), **matched}
        return {"approximate": self.approximate(), "count_base": self.count_base(), **matched}

    def _best(self, clause: Clause, *, total: bool) -> Body:
        params = {"field": vector_path(self._index), "query": _packed(self._query)}
        script = {"lang": "painless", "source": _SCRIPTS[self._index.distance], "params": params}
        direction = "desc" if self._index.distance == "InnerProduct" else "asc"
        named = self._marks | ({FITS: all_of(self._after)} if self._after else {})
        return {
            "query": with_names(clause, named),
            "sort": [
                {"_script": {"type": "number", "order": direction, "script": script}},
                {self._key: "asc"},
            ],
            "size": self._query.n,
            "_source": [ROW],
            "track_total_hits": total,
        }


def _packed(query: PoolQuery) -> str:
    """The query vectors' float32 bytes, big-endian, as characters 0 to 255: painless reads them without boxing."""
    return query.vectors.astype(np.dtype(">f4")).tobytes().decode("latin-1")


def _count(clause: Clause) -> Body:
    return {"query": clause, "size": 0, "track_total_hits": True}
