"""How many of the true n best approximate searches find: some are asked again exactly, in the background."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from havengate.errors import HavengateError, TimedOut
from havengate.request_id import REQUEST_ID
from havengate.types import SCORE

if TYPE_CHECKING:
    import polars as pl

    from engines.contract import Engine, PoolQuery, TableSpec
    from havengate.setting_groups import RecallSettings
    from havengate.types import Pool
    from schemas.table import DistanceType

_LOG = logging.getLogger(__name__)
_LAST_S = 5.0


class Observe(Protocol):
    def __call__(self, table: str, index: str, k: int, value: float, /) -> None:
        """``value`` of the true ``k`` best rows of an index were found."""


@dataclass(frozen=True, slots=True)
class _Sample:
    spec: TableSpec
    query: PoolQuery
    scores: pl.Series
    matched: int
    request_id: str


class RecallAudit:
    """Takes what searches offer while it has nothing to do and has rested enough; drops the rest.

    Any thread. One search at a time is asked again, by a thread that the first one starts; none where ``share`` is 0
    or the engine always compares all.
    """

    def __init__(
        self,
        engine: Engine,
        settings: RecallSettings,
        observe: Observe,
        *,
        limit_s: float,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """``limit_s``: how long comparing all rows may take. ``draw`` gives numbers in [0, 1)."""
        self._engine = engine
        self._settings = settings
        self._observe = observe
        self._limit_s = limit_s
        self._clock = clock
        self._draw = draw
        self._mutex = threading.Lock()
        self._taken: SimpleQueue[_Sample | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._busy = False
        self._rested = float("-inf")
        self._too_slow: set[tuple[str, str]] = set()

    def offer(self, spec: TableSpec, query: PoolQuery, pool: Pool) -> None:
        """What a search asked and got. Never waits."""
        # What was "ann+exact" compared all in the end.
        if pool.strategy != "ann" or (spec.table, spec.generation) in self._too_slow:
            return
        if self._draw() >= self._settings.share:
            return
        with self._mutex:
            if self._busy or self._clock() < self._rested:
                return
            self._busy = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="recall-audit", daemon=True)
                self._thread.start()
        self._taken.put(_Sample(spec, query, pool.frame[SCORE], pool.matched, REQUEST_ID.get()))

    def close(self) -> None:
        """Takes no more; waits some seconds for the search that is being asked again."""
        with self._mutex:
            self._busy, thread = True, self._thread
        self._taken.put(None)
        if thread is not None:
            thread.join(_LAST_S)

    def _run(self) -> None:
        while (sample := self._taken.get()) is not None:
            began = self._clock()
            self._audit(sample)
            ended = self._clock()
            with self._mutex:
                self._rested = ended + (ended - began) * (1 / self._settings.busy - 1)
                self._busy = False

    def _audit(self, sample: _Sample) -> None:
        spec, query = sample.spec, sample.query
        # The cluster's slow logs name who asked: this is no client's search.
        REQUEST_ID.set(f"recall-{sample.request_id}")
        try:
            asked = replace(query, exact=True, columns=(), marks=(), deadline_s=self._limit_s)
            best = self._engine.pool(spec.name, asked)
            k = best.frame.height
            # Where other rows match by now, what is best has changed, too.
            if k and best.matched == sample.matched:
                distance = spec.schema.vector_indexes[query.index].distance
                self._observe(spec.table, query.index, k, recall(sample.scores, best.frame[SCORE], distance))
        except TimedOut:
            # Trying again would cost the cluster as much each time; another generation may be smaller.
            self._too_slow.add((spec.table, spec.generation))
            _LOG.warning("table %s: no recall is measured, comparing all rows takes too long", spec.table)
        except HavengateError as error:
            # Moved, dropped, away: the next sample will do.
            _LOG.debug("table %s: no recall of a search: %s", spec.table, error.message)
        except Exception:  # noqa: BLE001  (a thread has nobody to raise to)
            _LOG.exception("table %s: no recall of a search", spec.table)


def recall(found: pl.Series, best: pl.Series, distance: DistanceType) -> float:
    """The share of the ``best`` scores that were found: scores as good as the last of them count, whoever has them.

    Both are best first, ``best`` not empty: of rows that are equally near, any may be the n best.
    """
    good = found >= best[-1] if distance == "InnerProduct" else found <= best[-1]
    return min(int(good.sum()), len(best)) / len(best)
