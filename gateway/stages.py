"""How long a request was in each stage: wait (for a slot), read, parse, embed, engine, pool, fetch, write, format."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flask import g, has_app_context


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Adds the seconds until it is left, also by an error."""
    started = time.perf_counter()
    try:
        yield
    finally:
        add_stages({name: time.perf_counter() - started})


def add_stages(seconds: Mapping[str, float]) -> None:
    """Adds what was measured elsewhere: a SearchResult's timings. Outside requests nobody asks for them."""
    if not has_app_context():
        return
    stages = g.setdefault("stages", {})
    for name, spent in seconds.items():
        stages[name] = stages.get(name, 0.0) + spent


def stages() -> Mapping[str, float]:
    """Seconds by stage of this request, in the order in which they were entered."""
    return dict(g.get("stages", {}))
