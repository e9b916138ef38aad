"""Which library runs the towers, on what and how precisely: settings with every ``auto`` decided."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from embedding.cores import usable_cores
from havengate.errors import ModelError

if TYPE_CHECKING:
    from havengate.setting_groups import EmbeddingSettings

RuntimeKind = Literal["openvino", "torch"]
Device = Literal["cpu", "cuda"]
Precision = Literal["f32", "bf16", "f16"]

_CPU = Path("/proc/cpuinfo")
_DEVICES = Path("/dev")
_BF16 = frozenset({"amx_bf16", "avx512_bf16"})


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """``threads`` are those of the picture tower's inference on a CPU, ``text_threads`` those of the text tower's.

    A short text is a matter of memory, not of arithmetic: more threads help it little, and hurt it on busy cores.
    """

    kind: RuntimeKind
    device: Device
    precision: Precision
    threads: int
    text_threads: int = 1

    @property
    def numerics(self) -> str:
        """The part of a fingerprint that may differ between rows and queries."""
        device = "-cuda" if self.device == "cuda" else ""
        return f"{self.kind}{device}-{self.precision}"


def resolve(settings: EmbeddingSettings) -> RuntimeSettings:
    """What ``auto`` means on this machine. torch is asked for devices only where the machine has one.

    CUDA computes in f16, as CLIP was trained and published; a CPU in bf16 under OpenVINO where it can, else f32.
    Raises ModelError for settings that do not go together.
    """
    device = settings.device if settings.device != "auto" else _device(settings.runtime)
    kind: RuntimeKind = settings.runtime if settings.runtime != "auto" else "torch" if device == "cuda" else "openvino"
    if kind == "openvino" and device == "cuda":
        raise ModelError("HAVENGATE_EMBEDDING__DEVICE=cuda needs HAVENGATE_EMBEDDING__RUNTIME=torch")
    precision: Precision = settings.precision if settings.precision != "auto" else _precision(kind, device)
    if precision == "f16" and device == "cpu":
        raise ModelError("HAVENGATE_EMBEDDING__PRECISION=f16 needs a CUDA device; a CPU computes in f32 or bf16")
    return RuntimeSettings(kind, device, precision, settings.threads or usable_cores(), settings.threads or 1)


def cpu_has_bf16() -> bool:
    """Whether the CPU multiplies in bf16. Without that bf16 is slower than f32, not faster."""
    try:
        flags = next(line for line in _CPU.read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return not _BF16.isdisjoint(flags.split())


def _device(kind: str) -> Device:
    if kind == "openvino" or not any(_DEVICES.glob("nvidia[0-9]*")) or find_spec("torch") is None:
        return "cpu"
    import torch

    # is_available() would start CUDA, and a process that did cannot be forked.
    return "cuda" if torch.cuda.device_count() else "cpu"


def _precision(kind: RuntimeKind, device: Device) -> Precision:
    if device == "cuda":
        return "f16"
    return "bf16" if kind == "openvino" and cpu_has_bf16() else "f32"
