"""Exact search, loading and writing of the embedded engine at 100,000 rows of 512 dimensions.

python bench/engine.py [--rows 100000]
                       --journal  what the journal of keys adds to a write, in turns in one run
                       --backup   a table's backup and its restore
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from engines.contract import PoolQuery, TableSpec
from engines.embedded.engine import EmbeddedEngine
from havengate.blobs import FolderBlobStore
from havengate.types import Compare, Field, Literal, Row
from ingest.backup import backup
from ingest.restore import restore
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


def create(engine: EmbeddedEngine, name: str) -> None:
    vendor = template("push")
    engine.create_table(TableSpec(name, resolve(vendor), vendor.to_json(), TableSettings(), {}))


def calls(count: int, size: int) -> Iterator[list[Row]]:
    """The rows of ``count`` keys, ``size`` a call."""
    numbers = np.random.default_rng(0)
    for start in range(0, count, size):
        vectors = numbers.standard_normal((size, DIMENSION), np.float32)
        yield [
            Row(str(key), {"id": key, "cate_id": key % 1000}, {"vector": vector})
            for key, vector in enumerate(vectors, start)
        ]


def fill(engine: EmbeddedEngine, count: int) -> None:
    create(engine, "t")
    for rows in calls(count, CALL):
        engine.upsert("t", rows)


def journal() -> None:
    """Rows written twice over with the journal and without, call by call in turns."""
    for size, count in ((1000, 50_000), (10, 2_000)):
        with tempfile.TemporaryDirectory() as folder, EmbeddedEngine.open(Path(folder)) as engine:
            took: dict[str, list[float]] = {"with": [], "without": []}
            for name in took:
                create(engine, name)
            for rows in (*calls(count, size), *calls(count, size)):
                took["with"].append(written(engine, "with", rows))
                with patch("engines.embedded.store._note", lambda *_: None):
                    took["without"].append(written(engine, "without", rows))
            medians = {name: statistics.median(times) for name, times in took.items()}
            ratio = medians["with"] / medians["without"]
            print(f"{size} rows a call: {medians['without']:.1f} ms without, {medians['with']:.1f} with, {ratio:.3f}")


def written(engine: EmbeddedEngine, name: str, rows: list[Row]) -> float:
    return milliseconds(lambda: engine.upsert(name, rows), 1)


def back_up(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, EmbeddedEngine.open(Path(folder) / "data") as engine:
        blobs, file = FolderBlobStore(Path(folder) / "blobs"), Path(folder) / "file"
        fill(engine, count)
        for name, call in (
            ("backup", lambda: backup(engine, blobs, "t", file)),
            ("restore", lambda: restore(engine, blobs, file, "again")),
        ):
            cpu = time.process_time()
            seconds = milliseconds(call, 1) / 1000
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            cpu = time.process_time() - cpu
            print(f"{name} of {count} rows: {seconds:.1f} s, {cpu:.1f} of CPU; at most {most} MiB in memory")
        print(f"{file.stat().st_size / 1e6:.0f} MB")


def search(count: int) -> None:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--journal", action="store_true")
    parser.add_argument("--backup", action="store_true")
    arguments = parser.parse_args()
    if arguments.journal:
        journal()
    elif arguments.backup:
        back_up(arguments.rows)
    else:
        search(arguments.rows)


if __name__ == "__main__":
    main()
