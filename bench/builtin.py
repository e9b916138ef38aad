"""What the trained network of `builtin` costs beside the same model without it, in turns in one process.

Prints medians by the clock and of the process's CPU, and their ratio: milliseconds a picture from prepared pixels to
the vector, and seconds to read both files and compile the graph.

    python bench/builtin.py [--rounds 30]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np

from embedding.builtin.class_vectors import load_class_vectors
from embedding.builtin.concepts import load_concepts
from embedding.builtin.model import read_weights
from embedding.builtin.network import PictureTower, build_graph, plain_graph

BATCHES = (1, 8, 32)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    weights = read_weights()

    def plain() -> PictureTower:
        return PictureTower(plain_graph(weights, load_class_vectors()), threads=1)

    def extended() -> PictureTower:
        return PictureTower(build_graph(weights, load_class_vectors(), load_concepts()), threads=1)

    print(f"load {os.getloadavg()[0]:.1f}; without / with the network, clock (CPU)")
    show("loading, s", in_turns(plain, extended, max(3, rounds // 6)), 1)
    without, with_network = plain(), extended()
    for batch in BATCHES:
        pixels = np.random.default_rng(batch).integers(0, 256, (batch, 224, 224, 3), np.uint8)
        pair = in_turns(lambda p=pixels: without(p), lambda p=pixels: with_network(p), rounds)
        show(f"{batch} pictures, ms a picture", pair, 1000 / batch)


def in_turns(first: Callable[[], object], second: Callable[[], object], rounds: int) -> list[tuple[float, float]]:
    """Median (clock, CPU) seconds of each."""
    both: list[list[tuple[float, float]]] = [[], []]
    for _ in range(rounds):
        for found, job in zip(both, (first, second), strict=True):
            found.append(clocked(job))
    return [(statistics.median(c for c, _ in found), statistics.median(p for _, p in found)) for found in both]


def clocked(job: Callable[[], object]) -> tuple[float, float]:
    clock, cpu = time.perf_counter(), time.process_time()
    job()
    return time.perf_counter() - clock, time.process_time() - cpu


def show(what: str, pair: list[tuple[float, float]], scale: float) -> None:
    cells = " / ".join(f"{clock * scale:.2f} ({cpu * scale:.2f})" for clock, cpu in pair)
    print(f"{what}: {cells}, ratio {pair[1][0] / pair[0][0]:.2f} ({pair[1][1] / pair[0][1]:.2f})")


if __name__ == "__main__":
    main()
