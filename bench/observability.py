"""What observing costs a search: the same application with and without what counts, measures and logs its requests.

One process and one thread; searches by a remembered text over random rows, so that nothing else takes long, alternate
between three applications: without (no hooks, no stages added up), with (as by default: level warning), and with a line
of JSON for each request (level info) into a file. Prints medians of CPU time in microseconds and the ratios.

    python bench/observability.py [--rows 10000] [--rounds 2000]
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gateway import stages
from gateway.app import create_app
from gateway.metrics import Metrics
from gateway.parts import Parts
from gateway.slow import SlowSearches
from havengate.log import configure
from havengate.services import services
from havengate.setting_groups import LogSettings
from havengate.settings import Settings
from havengate.types import Row
from schemas.settings import TableSettings
from schemas.templates import template

if TYPE_CHECKING:
    from flask import Flask

    from havengate.services import Services

WARM_UP = 50
ADD_STAGES = stages.add_stages
ACCESS = logging.getLogger("havengate.access")


def fill(opened: Services, rows: int) -> None:
    opened.tables.create("photos", template("base64"), TableSettings())
    numbers = np.random.default_rng(1)
    for start in range(0, rows, 1000):
        vectors = numbers.normal(size=(1000, opened.embedding.dimension("builtin"))).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        batch = [
            Row(str(start + n), {"id": start + n, "cate_id": n % 10}, {"vector": v}) for n, v in enumerate(vectors)
        ]
        opened.engine.upsert("photos", batch)


def observed(opened: Services) -> Flask:
    metrics = Metrics()
    slow = SlowSearches(opened.settings.log, opened.engine.publish, lambda: metrics.dropped("slow_search"))
    return create_app(opened, Parts(metrics=metrics, slow=slow))


def unobserved(opened: Services) -> Flask:
    app = create_app(opened)
    for hooks in (app.before_request_funcs, app.after_request_funcs):
        hooks[None] = [hook for hook in hooks[None] if hook.__module__ != "gateway.observe"]
    return app


@contextmanager
def without_stages() -> Iterator[None]:
    stages.add_stages = lambda _seconds: None
    try:
        yield
    finally:
        stages.add_stages = ADD_STAGES


@contextmanager
def lines() -> Iterator[None]:
    # Another level would empty what all loggers remember.
    ACCESS.disabled = False
    try:
        yield
    finally:
        ACCESS.disabled = True


@contextmanager
def as_it_is() -> Iterator[None]:
    yield


def search(app: Flask) -> Callable[[], float]:
    client = app.test_client()
    query = {"query": "query=vector:'red shoes&modal=text&n=10'&&cluster=photos&&config=format:json"}

    def timed() -> float:
        start = time.thread_time()
        answer = client.get("/query", query_string=query)
        spent = time.thread_time() - start
        assert answer.json["result"]["numHits"] == 10
        return 1e6 * spent

    return timed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, services(Settings(data_dir=Path(folder) / "data")) as opened:
        fill(opened, asked.rows)
        configure(LogSettings(format="json", level="info"))
        ACCESS.disabled = True
        ways = {
            "without": (search(unobserved(opened)), without_stages),
            "with": (search(observed(opened)), as_it_is),
            "with lines": (search(observed(opened)), lines),
        }
        spent: dict[str, list[float]] = {name: [] for name in ways}
        with (Path(folder) / "log").open("w") as log, redirect_stderr(log):
            for number in range(WARM_UP + asked.rounds):
                for name, (timed, state) in ways.items():
                    with state():
                        took = timed()
                    if number >= WARM_UP:
                        spent[name].append(took)
    base = statistics.median(spent["without"])
    for name, values in spent.items():
        middle = statistics.median(values)
        print(f"{name:<12}{middle:>9.0f} us  {middle - base:>+7.0f} us  ratio {middle / base:.3f}")


if __name__ == "__main__":
    main()
