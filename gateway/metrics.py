"""What Prometheus is told: counters and histograms of one application, in a registry of its own.

Labels take few values: a route that is none is the dialect "none", a method that HTTP does not name is "other", tables
and users are those that exist. docs/observability.md names every metric.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from prometheus_client import Metric
    from prometheus_client.registry import Collector

    from gateway.slots import SlotUse

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_STAGE_SECONDS = (0.0001, 0.00025, 0.0005, *_SECONDS[:-2])
_RECALLS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0)


class Metrics:
    """Thread-safe; nothing in it waits."""

    def __init__(self) -> None:
        self._registry = registry = _Registry()
        self._requests = Counter(
            "havengate_requests", "Requests answered.", ("dialect", "method", "status"), registry=registry
        )
        self._errors = Counter(
            "havengate_errors", "Errors by the engine's name for them.", ("dialect", "error"), registry=registry
        )
        self._seconds = Histogram(
            "havengate_request_seconds",
            "Time from a slot being asked for to the answer.",
            ("dialect",),
            registry=registry,
            buckets=_SECONDS,
        )
        self._stages = Histogram(
            "havengate_stage_seconds",
            "Time of a request in one stage.",
            ("dialect", "stage"),
            registry=registry,
            buckets=_STAGE_SECONDS,
        )
        self._slow = Counter("havengate_slow_searches", "Searches over slow_ms.", ("dialect",), registry=registry)
        self._recall = Histogram(
            "havengate_recall",
            "Share of the exact n best that an approximate search found.",
            ("table", "index"),
            registry=registry,
            buckets=_RECALLS,
        )
        self._limited = Counter("havengate_rate_limited", "Requests over a user's rate.", ("user",), registry=registry)
        self._thumbnails = Counter(
            "havengate_thumbnails", "Thumbnails given out, by whether they were kept.", ("cache",), registry=registry
        )
        self._dropped = Counter(
            "havengate_dropped", "What was not recorded, because too much waited.", ("what",), registry=registry
        )
        self._slots = Gauge("havengate_slots", "Requests that are worked on at most.", registry=registry)
        self._slots_busy = Gauge("havengate_slots_busy", "Requests that are worked on.", registry=registry)
        self._slots_waiting = Gauge("havengate_slots_waiting", "Requests that wait for a slot.", registry=registry)
        Info("havengate_build", "The version that runs.", registry=registry).info({"version": version("havengate")})
        ProcessCollector(registry=registry)

    def add(self, collector: Collector) -> None:
        """What is read at each scrape (gateway.gauges)."""
        self._registry.register(collector)

    def request(self, dialect: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(dialect, method if method in _METHODS else "other", str(status)).inc()
        self._seconds.labels(dialect).observe(seconds)

    def refused(self, status: int) -> None:
        """What came is no HTTP, or too long, or too slow."""
        self._requests.labels("none", "other", str(status)).inc()

    def error(self, dialect: str, name: str) -> None:
        """``name`` is that of a havengate.codes.HaCode: answers with an error are HTTP 200 in some dialects."""
        self._errors.labels(dialect, name).inc()

    def stages(self, dialect: str, seconds: Mapping[str, float]) -> None:
        for stage, spent in seconds.items():
            self._stages.labels(dialect, stage).observe(spent)

    def slow(self, dialect: str) -> None:
        self._slow.labels(dialect).inc()

    def recall(self, table: str, index: str, k: int, value: float) -> None:  # noqa: ARG002 - a label too many
        """``value`` of the exact ``k`` best were found; for havengate.recall."""
        self._recall.labels(table, index).observe(value)

    def limited(self, user: str) -> None:
        """A user who is known was told to come later."""
        self._limited.labels(user).inc()

    def thumbnail(self, *, kept: bool) -> None:
        self._thumbnails.labels("hit" if kept else "miss").inc()

    def dropped(self, what: str) -> None:
        """``what`` is a fixed word: slow_search."""
        self._dropped.labels(what).inc()

    def keep_tables(self, tables: Collection[str]) -> None:
        """Forgets those of tables that are gone."""
        seen = {sample.labels["table"] for family in self._recall.collect() for sample in family.samples}
        for table in seen.difference(tables):
            self._recall.remove_by_labels({"table": table})

    def slots(self, use: SlotUse) -> None:
        self._slots.set(use.most)
        self._slots_busy.set(use.busy)
        self._slots_waiting.set(use.waiting)

    def text(self, accept: str) -> tuple[bytes, str]:
        """All of them and the content type: OpenMetrics for who asks for it, else Prometheus' text format."""
        if "application/openmetrics-text" in accept:
            body: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]
            return body, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4


class _Registry(CollectorRegistry):
    """Without the moments at which series were made, which double them; the client's own switch is global."""

    def collect(self) -> Iterable[Metric]:
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
