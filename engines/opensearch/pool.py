"""The pool of a vector term: what is asked, and what becomes of the hits."""

from __future__ import annotations

from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING

from engines.checks import check_columns, check_query, index_of
from engines.opensearch import hits
from engines.opensearch.mapping import WINDOW
from engines.opensearch.pool_bodies import FITS, PoolBodies
from engines.opensearch.searches import total
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Pool

if TYPE_CHECKING:
    from engines.contract import PoolQuery
    from engines.opensearch.hits import Hits
    from engines.opensearch.searches import Searches
    from havengate.types import Strategy
    from schemas.table import DistanceType, TableSchema

_CROWD = 4
EXACT_ROWS = 10_000
EXACT_NUMBERS = 1_024_000
"""Up to so many numbers of all rows and query vectors, but at most so many rows, are compared one by one.

That takes about as long as asking the graph (2,000 rows of 512 dimensions: docs/benchmarks.md), and the n best are
the true ones.
"""


def nearest_rows(searches: Searches, alias: str, schema: TableSchema, query: PoolQuery) -> Pool:
    """The pool of ``query``. Raises RequestError for what the table lacks and for vectors that do not fit."""
    query = checked(schema, query)
    found, matched, strategy = _search(searches, alias, query, PoolBodies(schema, query))
    distance = schema.vector_indexes[query.index].distance
    passing = _passing(found, query)
    # The counts are searches of their own moments, and writers go on between: what was found is surely there.
    matched = sum(passing) if len(found) < query.n else max(matched, sum(passing))
    cuts = {"filter_mode:post": passing, "sf": _near(found, query, distance)}
    kept = list(compress(found, map(all, zip(*cuts.values(), strict=True))))
    scores = [hit["sort"][0] for hit in kept]
    frame = hits.frame(schema, kept, query.columns, len(query.marks), scores)
    return Pool(frame, matched, strategy, tuple(name for name, keeps in cuts.items() if not all(keeps)))


def checked(schema: TableSchema, query: PoolQuery) -> PoolQuery:
    """The query as it is asked. Raises RequestError."""
    check_query(query, index_of(schema, query.index))
    check_columns(schema, query.columns)
    if query.n > WINDOW:
        raise RequestError(f"n={query.n} is more than {WINDOW}", code=HaCode.OVER_RETURN_HITS_LIMIT)
    return query if query.filter is not None else replace(query, filter_mode="pre")


def _search(searches: Searches, alias: str, query: PoolQuery, bodies: PoolBodies) -> tuple[Hits, int, Strategy]:
    """The n best, how many rows match, and how the n best were made sure."""
    if query.exact:
        answers = searches.several(alias, list(bodies.first().values()))
        return answers[0]["hits"]["hits"], total(answers[-1]), "exact"
    few = exact_rows(query)
    if query.filter_mode == "pre" and searches.sizes.were_few(alias, bodies.base, few):
        try:
            whole = searches.one(alias, bodies.exact())
        except Exception:
            # There may be too many by now to be looked through in time: the next search must not try again.
            searches.sizes.forget(alias, bodies.base)
            raise
        searches.sizes.learn(alias, bodies.base, total(whole))
        return whole["hits"]["hits"], total(whole), "exact"
    near, *counts = searches.several(alias, list(bodies.first().values()))
    base, matched = total(counts[0]), total(counts[-1])
    searches.sizes.learn(alias, bodies.base, base)
    found = near["hits"]["hits"]
    if graph_suffices(query, base, len(found)):
        if _crowded(found):
            found = searches.one(alias, bodies.approximate(widest=True))["hits"]["hits"]
        return found, matched, "ann"
    whole = searches.one(alias, bodies.exact())
    if query.filter_mode == "pre":
        matched = total(whole)
    return whole["hits"]["hits"], matched, "exact" if base <= few else "ann+exact"


def _crowded(found: Hits) -> bool:
    """Whether most rows found share their vector with many: a graph walks among such rows instead of past them."""
    return len(found) >= _CROWD * len({hit["sort"][0] for hit in found})


def graph_suffices(query: PoolQuery, base: int, found: int) -> bool:
    """Whether the rows that the graph found, of ``base`` rows, are taken as the n best."""
    return base > exact_rows(query) and found >= min(query.n, base)


def exact_rows(query: PoolQuery) -> int:
    """Up to how many rows the n best are looked for exactly."""
    return min(EXACT_ROWS, EXACT_NUMBERS // query.vectors.size)


def _passing(found: Hits, query: PoolQuery) -> list[bool]:
    return hits.held(found, FITS) if query.filter_mode == "post" else [True] * len(found)


def _near(found: Hits, query: PoolQuery, distance: DistanceType) -> list[bool]:
    limit = query.score_threshold
    if limit is None:
        return [True] * len(found)
    if distance == "InnerProduct":
        return [hit["sort"][0] > limit for hit in found]
    return [hit["sort"][0] < limit for hit in found]
