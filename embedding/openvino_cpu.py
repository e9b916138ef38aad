"""Graphs on OpenVINO's CPU plugin, with nothing left to its defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openvino as ov

if TYPE_CHECKING:
    from pathlib import Path


def infer_request(graph: ov.Model | Path, threads: int, precision: str = "f32") -> ov.InferRequest:
    """A compiled graph, for one caller at a time. Raises RuntimeError for a file that holds none."""
    config = {
        # The CPU plugin silently takes bf16 where it has it: another space for rows than for queries.
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        # Pinned threads of two processes would share one core while others are idle.
        "ENABLE_CPU_PINNING": False,
    }
    return ov.Core().compile_model(graph, "CPU", config).create_infer_request()
