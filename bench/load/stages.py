"""Percentiles of the gateway's stages, from the histograms of /metrics."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

METRIC = "havengate_stage_seconds"


def read(text: str) -> list[dict[str, Any]]:
    """By dialect and stage: how many requests, p50 and p99 in milliseconds, as exact as the buckets are."""
    buckets: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for family in text_string_to_metric_families(text):
        if family.name == METRIC:
            for sample in family.samples:
                if sample.name.endswith("_bucket"):
                    key = sample.labels["dialect"], sample.labels["stage"]
                    buckets[key].append((float(sample.labels["le"]), sample.value))
    return [
        {"dialect": dialect, "stage": stage, "count": int(counts[-1][1])}
        | {name: 1000 * quantile(counts, share) for name, share in (("p50", 0.5), ("p99", 0.99))}
        for (dialect, stage), counts in ((key, sorted(found)) for key, found in sorted(buckets.items()))
    ]


def quantile(counts: list[tuple[float, float]], share: float) -> float:
    """Seconds, straight between a bucket's ends, as Prometheus does; above the last end that end.

    counts  (upper end, requests that took no longer), ascending, the last for +Inf
    """
    wanted, low, below = share * counts[-1][1], 0.0, 0.0
    for high, count in counts:
        if count >= wanted and count > below:
            return low if high == float("inf") else low + (high - low) * (wanted - below) / (count - below)
        low, below = (high, count) if high != float("inf") else (low, below)
    return 0.0
