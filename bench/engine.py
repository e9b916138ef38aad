"""Exact search, loading and writing of the embedded engine at 100,000 rows of 512 dimensions.

python bench/engine.py [--rows 100000]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from engines.contract import PoolQuery, TableSpec
from engines.embedded.engine import EmbeddedEngine
from havengate.types import Compare, Field, Literal, Row
from schemas.resolve import resolve
from schemas.settings import TableSettings
from schemas.templates import template

DIMENSION, CALL = 512, 5000


def milliseconds(call: Callable[[], object], repeats: int = 15) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def fill(engine: EmbeddedEngine, count: int) -> None:
    vendor = template("push")
    engine.create_table(TableSpec("t", resolve(vendor), vendor.to_json(), TableSettings(), {}))
    numbers = np.random.default_rng(0)
    for start in range(0, count, CALL):
        vectors = numbers.standard_normal((CALL, DIMENSION), np.float32)
        rows = [
            Row(str(key), {"id": key, "cate_id": key % 1000}, {"vector": vector})
            for key, vector in enumerate(vectors, start)
        ]
        engine.upsert("t", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    count = parser.parse_args().rows
    vector = np.random.default_rng(1).standard_normal((1, DIMENSION)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        with EmbeddedEngine.open(Path(folder)) as engine:
            print(f"write {count} rows, {CALL} a call: {milliseconds(lambda: fill(engine, count), 1) / 1000:.1f} s")
        start = time.perf_counter()
        with EmbeddedEngine.open(Path(folder)) as engine:
            engine.pool("t", PoolQuery("vector", vector, 1))
            print(f"open and first search: {time.perf_counter() - start:.1f} s")
            for share, below in (("all rows", 1000), ("10 %", 100), ("1 %", 10), ("0.1 %", 1)):
                kept = None if below == 1000 else Compare("<", Field("cate_id"), Literal(below))
                query = PoolQuery("vector", vector, 10, filter=kept)
                print(f"search, {share}: {milliseconds(lambda query=query: engine.pool('t', query)):.1f} ms")


if __name__ == "__main__":
    main()
