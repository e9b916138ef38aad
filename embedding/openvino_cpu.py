"""Graphs on OpenVINO's CPU plugin, with nothing left to its defaults."""

from __future__ import annotations

import queue
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt


@cache
def core() -> ov.Core:
    """The process's only one, which is never let go.

    Its CPU plugin gives the thread that loads it a stack for signals, and takes that away with the last model, in
    whatever thread: the next signal would then kill the process.
    """
    return ov.Core()


def infer_request(graph: ov.Model | Path, threads: int, precision: str = "f32") -> ov.InferRequest:
    """A compiled graph, for one caller at a time. Raises RuntimeError for a file that holds none."""
    return _compiled(graph, threads, precision, 1).create_infer_request()


class Lanes:
    """A compiled graph that ``lanes`` callers use at once, each on ``threads`` threads; others wait.

    Batches beside each other keep all cores busy; threads that share one batch wait for the slowest of them, and on
    busy cores most of the time.
    """

    def __init__(self, graph: ov.Model, threads: int, lanes: int) -> None:
        self.compiled = _compiled(graph, threads, "f32", lanes)
        # A request holds the memory of a batch: who is alone needs one.
        self._idle: queue.LifoQueue[ov.InferRequest | None] = queue.LifoQueue()
        for _ in range(lanes):
            self._idle.put(None)

    def __call__(self, *inputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Arrays as the graph takes them -> its first output."""
        request = self._idle.get()
        try:
            request = request or self.compiled.create_infer_request()
            request.infer([np.ascontiguousarray(each) for each in inputs], share_inputs=True)
            return np.array(request.get_output_tensor(0).data, dtype=np.float32)
        finally:
            self._idle.put(request)


def _compiled(graph: ov.Model | Path, threads: int, precision: str, lanes: int) -> ov.CompiledModel:
    config = {
        # The CPU plugin silently takes bf16 where it has it: another space for rows than for queries.
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads * lanes,
        "NUM_STREAMS": lanes,
        # Pinned threads of two processes would share one core while others are idle.
        "ENABLE_CPU_PINNING": False,
    }
    return core().compile_model(graph, "CPU", config)
