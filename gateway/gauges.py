"""What is read when /metrics is: the engine, jobs, the models' queues; a scrape never waits long for any of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from havengate.errors import HavengateError

if TYPE_CHECKING:
    from prometheus_client import Metric

    from embedding.service import EmbeddingService
    from gateway.metrics import Metrics

_PATIENCE_S = 0.25
_HUNG_S = 2.0


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at engine and jobs found; ``tables`` is None where the engine did not say."""

    tables: frozenset[str] | None = None
    jobs: Mapping[tuple[str, str], int] = field(default_factory=dict)


class Watch:
    """Looks in a thread of its own, one at a time; who asks waits for a quarter of a second and gets what is known."""

    def __init__(self, look: Callable[[], Look], patience_s: float = _PATIENCE_S, hung_s: float = _HUNG_S) -> None:
        self._look = look
        self._patience_s = patience_s
        self._hung_s = hung_s
        self._lock = threading.Lock()
        self._known = Look()
        self._done: threading.Event | None = None
        self._began = 0.0

    def now(self) -> Look:
        with self._lock:
            if self._done is None:
                self._done, self._began = threading.Event(), time.monotonic()
                threading.Thread(target=self._run, args=(self._done,), name="metrics-look", daemon=True).start()
            done, hung_at = self._done, self._began + self._hung_s
        if not done.wait(self._patience_s) and time.monotonic() > hung_at:
            return Look(jobs=self._known.jobs)
        return self._known

    def _run(self, done: threading.Event) -> None:
        try:
            self._known = self._look()
        finally:
            with self._lock:
                self._done = None
            done.set()


def look(tables: Callable[[], list[str]], jobs: Callable[[], Mapping[tuple[str, str], int]] | None) -> Look:
    """Whatever one of them cannot say costs only its own."""
    try:
        names: frozenset[str] | None = frozenset(tables())
    except HavengateError:
        names = None
    try:
        return Look(names, jobs() if jobs else {})
    except HavengateError:
        return Look(names)


class EngineGauges:
    """havengate_engine_up, havengate_tables, havengate_jobs."""

    def __init__(self, watch: Watch, metrics: Metrics) -> None:
        self._watch = watch
        self._metrics = metrics

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        seen = self._watch.now()
        yield GaugeMetricFamily("havengate_engine_up", "1 where the engine answers.", seen.tables is not None)
        if seen.tables is not None:
            self._metrics.keep_tables(seen.tables)
            yield GaugeMetricFamily("havengate_tables", "Tables that there are.", len(seen.tables))
        jobs = GaugeMetricFamily("havengate_jobs", "Jobs in the job table.", labels=("kind", "state"))
        for key, number in seen.jobs.items():
            jobs.add_metric(key, number)
        yield jobs


class EmbeddingGauges:
    """havengate_embedding_waiting, havengate_text_cache_hits, havengate_text_cache_misses."""

    def __init__(self, embedding: EmbeddingService) -> None:
        self._embedding = embedding

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        load = self._embedding.load()
        waiting = GaugeMetricFamily(
            "havengate_embedding_waiting", "Texts or pictures that wait for a model.", labels=("model", "kind")
        )
        for key, number in load.waiting.items():
            waiting.add_metric(key, number)
        yield waiting
        yield CounterMetricFamily("havengate_text_cache_hits", "Texts whose vectors were known.", load.text_hits)
        yield CounterMetricFamily("havengate_text_cache_misses", "Texts that were embedded.", load.text_misses)
