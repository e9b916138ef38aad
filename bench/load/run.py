"""Load on a gateway process of its own: locust's clients, the server's memory, its stages.

Fills a table, starts `havengate serve`, lets the clients of scenarios.py ask for a while, and prints what they and
/metrics counted. Exits with 1 where an answer was wrong. With --engine opensearch the cluster is the one that
HAVENGATE_ENGINE__HOSTS names, or a server started as the tests do (Java and Maven):

    python bench/load/run.py --engine embedded --clients 32 --minutes 5
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import stages
import table

from havengate.demo.process import gateway
from havengate.services import services
from havengate.settings import load_settings

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MIB = 1 << 20
SAMPLE_S = 1.0
MINUTE = 60
"""Samples."""
STOP_S = 30


@dataclass
class Memory:
    """Resident memory of a process and its children, in MiB, sampled every second."""

    pid: int
    samples: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        root = psutil.Process(self.pid)
        while not self._over.wait(SAMPLE_S):
            processes = [root, *root.children(recursive=True)]
            self.samples.append(sum(process.memory_info().rss for process in processes) / MIB)

    def report(self) -> dict[str, Any]:
        """``grown``: the last fifth's median over that of the second, when models and caches are warm.

        ``minutes``: the median of each.
        """
        part = max(1, len(self.samples) // 5)
        early, late = (statistics.median(self.samples[place:][:part]) for place in (part, -part))
        return {
            "start": self.samples[0],
            "end": self.samples[-1],
            "max": max(self.samples),
            "grown": late / early,
            "minutes": [
                statistics.median(self.samples[at : at + MINUTE]) for at in range(0, len(self.samples), MINUTE)
            ],
        }


def main() -> None:
    options = _options()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if options.engine == "opensearch":
            stack.enter_context(_on_opensearch(folder))
        told = measure(folder, options)
    if options.json:
        options.json.write_text(json.dumps(told, indent=1), encoding="utf-8")
    show(told)
    sys.exit(bool(told["errors"]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--engine", choices=("embedded", "opensearch"), default="embedded")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--json", type=Path, help="file for the same in JSON")
    options = parser.parse_args()
    if options.rows < table.ROWS_AT_LEAST:
        parser.error(f"--rows {options.rows}: at least {table.ROWS_AT_LEAST}")
    return options


@contextmanager
def _on_opensearch(folder: Path) -> Iterator[None]:
    """The environment of a gateway over a cluster, with indexes of its own that are dropped in the end."""
    with ExitStack() as stack:
        if "HAVENGATE_ENGINE__HOSTS" not in os.environ:
            # The root first: packages of tests are named as those of the server are.
            sys.path += [str(ROOT), str(ROOT / "tests")]
            from opensearch_server.server import node

            os.environ["HAVENGATE_ENGINE__HOSTS"] = stack.enter_context(node(folder / "opensearch"))
        os.environ["HAVENGATE_ENGINE__KIND"] = "opensearch"
        os.environ["HAVENGATE_ENGINE__INDEX_PREFIX"] = f"load-{uuid.uuid4().hex[:8]}-"
        yield


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """What the clients counted (scenarios.py), ``memory`` and ``stages`` of the server."""
    data = folder / "data"
    results = folder / "results.json"
    with services(load_settings(data_dir=data)) as opened:
        table.make(opened, options.rows)
    with gateway(data) as endpoint, Memory(json.loads((data / "server.json").read_text())["pid"]) as memory:
        _locust(endpoint, options, results)
        with urllib.request.urlopen(f"http://{endpoint}/metrics", timeout=30) as answer:
            spent = stages.read(answer.read().decode())
    with services(load_settings(data_dir=data)) as opened:
        opened.tables.drop(table.NAME)
    return json.loads(results.read_text()) | {"memory": memory.report(), "stages": spent}


def _locust(endpoint: str, options: argparse.Namespace, results: Path) -> None:
    """Runs to its end; wrong answers are its exit status, too, which is not asked for."""
    command = [sys.executable, "-m", "locust", "-f", str(HERE / "scenarios.py"), "--headless", "--only-summary"]
    command += ["--host", f"http://{endpoint}", "-u", str(options.clients), "-r", str(options.clients)]
    command += ["-t", f"{round(options.minutes * 60)}s", "-s", str(STOP_S), "--results", str(results)]
    environment = os.environ | {"PYTHONPATH": str(HERE), "GEVENT_SUPPORT": "True"}
    limit = options.minutes * 60 + 4 * STOP_S
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=limit)
    assert results.exists(), done.stderr[-4000:]


def show(told: dict[str, Any]) -> None:
    print("| scenario | requests | errors | busy | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|---|---|")
    for name, seen in sorted(told["scenarios"].items()):
        times = " | ".join(f"{seen[key]:,.0f}" for key in ("p50", "p99", "max"))
        print(f"| {name} | {seen['requests']:,} | {seen['errors']} | {seen['busy']} | {times} |")
    requests = sum(seen["requests"] for seen in told["scenarios"].values())
    print(f"\n{requests:,} requests in {told['seconds']:.0f} s: {requests / told['seconds']:.1f} a second\n")
    for kind, count in told["errors"].items():
        print(f"error: {kind} ({count} times)")
    print("| dialect | stage | requests | p50 ms | p99 ms |\n|---|---|---|---|---|")
    for row in told["stages"]:
        print(f"| {row['dialect']} | {row['stage']} | {row['count']:,} | {row['p50']:.2f} | {row['p99']:.2f} |")
    memory = told["memory"]
    print("\nmemory, MiB: " + ", ".join(f"{key} {memory[key]:.0f}" for key in ("start", "end", "max")), end="")
    print(f"; the last fifth is {memory['grown']:.2f} times the second")
    print("by minute: " + ", ".join(f"{size:.0f}" for size in memory["minutes"]))


if __name__ == "__main__":
    main()
