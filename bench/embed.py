"""CLIP on each runtime beside plain transformers: texts, pictures, and whole JPEG files through the service.

Random weights of the real size. Every row is a process of its own. "CPU" is process CPU time, which another job on
the same cores disturbs less than the clock; the bound of the last table is cores / (CPU seconds of decoding and of
the model for one picture), each measured alone in the same process.

    python bench/embed.py [--device cuda] [--threads N] [--rounds 20]
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from embedding.clip.files import ClipFiles
from havengate.images import decode_picture
from havengate.setting_groups import EmbeddingSettings, LimitSettings

SIZES = {"224 px": (224, 224, 64), "1 MP": (1155, 866, 32), "12 MP": (4000, 3000, 16)}
"""Width, height, files to send."""
BATCHES = (1, 8, 32)
WEB_THREADS = 8
CORES = len(os.sched_getaffinity(0))
PLAIN = "transformers"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=CORES, help="inference threads")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", help="one row, such as openvino-bf16")
    given = parser.parse_args()
    print(f"{CORES} cores, load {os.getloadavg()[0]:.1f}, {given.threads} inference threads, {cpu_features()}\n")
    with tempfile.TemporaryDirectory() as folder:
        files = in_process(save, Path(folder))
        kinds = [kind for kind in runtimes(given.device) if given.only in (None, kind[0])]
        report([measured(files, kind, given.threads, given.rounds) for kind in kinds])


def measured(files: ClipFiles, kind: tuple[str, str, str, str], threads: int, rounds: int) -> dict[str, Any]:
    if kind[1] == "openvino":
        # Converting is done once for all, and not what loading takes.
        in_process(convert, files)
    return in_process(measure, files, kind, threads, rounds)


def runtimes(device: str) -> list[tuple[str, str, str, str]]:
    """(name, runtime, device, precision)."""
    if device == "cuda":
        torch_on = [(f"torch-cuda-{precision}", "torch", "cuda", precision) for precision in ("f32", "bf16", "f16")]
        return [(PLAIN, PLAIN, "cuda", "f32"), *torch_on]
    from embedding.clip.runtime import cpu_has_bf16

    both = [("openvino-f32", "openvino", "cpu", "f32"), ("openvino-bf16", "openvino", "cpu", "bf16")]
    return [(PLAIN, PLAIN, "cpu", "f32"), ("torch-f32", "torch", "cpu", "f32"), *both[: 2 if cpu_has_bf16() else 1]]


def cpu_features() -> str:
    flags = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), "")
    return " ".join(flag for flag in flags.split() if flag.startswith(("amx", "avx512_bf16"))) or "no bf16"


def in_process(job: Callable[..., Any], *arguments: object) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(job, arguments)


def save(folder: Path) -> ClipFiles:
    from embed_models import save_models

    return save_models(folder)


def convert(files: ClipFiles) -> None:
    from embedding.clip.converted import converted
    from embedding.clip.preprocess import read_recipe

    converted(files, read_recipe(files.picture))


def load_runtime(files: ClipFiles, kind: str, device: str, precision: str, threads: int) -> Any:
    if kind == PLAIN:
        from embed_models import PlainTransformers

        return PlainTransformers(files, device, threads)
    from embedding.clip.model import load_clip
    from embedding.clip.runtime import RuntimeSettings

    return load_clip(files, RuntimeSettings(kind, device, precision, threads))


def measure(files: ClipFiles, kind: tuple[str, str, str, str], threads: int, rounds: int) -> dict[str, Any]:
    name, *how = kind
    with clocked() as load:
        model = load_runtime(files, *how, threads)
    found: dict[str, Any] = {"name": name, "load_s": load["wall"], "load_mib": resident(), "jpeg": {}}
    from embed_models import text_of

    for count in (1, 32):
        texts = [text_of(8, number) for number in range(count)]
        found[f"text {count}x8"] = median(
            lambda texts=texts: model.embed_texts(texts), rounds * (3 if count == 1 else 1)
        )
    pictures = [Image.fromarray(np.random.default_rng(n).integers(0, 256, (224, 224, 3), np.uint8)) for n in range(32)]
    for count in BATCHES:
        pixels = prepare(model, name, pictures[:count])
        found[f"pictures {count}"] = median(lambda pixels=pixels: model.embed_pictures(pixels), max(3, rounds // count))
    model_s = found["pictures 32"]["cpu"] / 32
    for size, (width, height, count) in SIZES.items():
        found["jpeg"][size] = end_to_end(model, name, jpeg(width, height), count, model_s)
    print(f"measured {name}", file=sys.stderr, flush=True)
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def prepare(model: Any, name: str, pictures: list[Image.Image]) -> Any:
    return model.prepare(pictures) if name == PLAIN else np.stack([model.prepare(picture) for picture in pictures])


def end_to_end(model: Any, name: str, data: bytes, count: int, model_s: float) -> dict[str, float]:
    """Pictures a second from files in memory, each a request of its own."""
    decode = decode_plain if name == PLAIN else decode_ours
    with clocked() as alone:
        for _ in range(4):
            prepare(model, name, [decode(data)])
    if name == PLAIN:
        with clocked() as all_of_them:
            for first in range(0, count, 16):
                model.embed_pictures(prepare(model, name, [decode(data) for _ in range(min(16, count - first))]))
    else:
        all_of_them = through_service(model, data, count)
    cpu_s = alone["cpu"] / 4 + model_s
    # What others took of the cores is not ours to use.
    given = max(all_of_them["cpu"], all_of_them["wall"] * CORES - all_of_them["others"])
    return {
        "rate": count / all_of_them["wall"],
        "cpu_ms": 1000 * all_of_them["cpu"] / count,
        "decode_ms": 1000 * alone["cpu"] / 4,
        "share": cpu_s * count / given,
    }


def through_service(model: Any, data: bytes, count: int) -> dict[str, float]:
    from embedding.service import EmbeddingService

    service = EmbeddingService(EmbeddingSettings(), {"clip": lambda _: model})
    service.warm_up(["clip"])

    def request(_: int) -> None:
        service.embed_pictures("clip", [decode_ours(data)])

    with ThreadPoolExecutor(WEB_THREADS) as pool:
        list(pool.map(request, range(WEB_THREADS)))
        with clocked() as taken:
            list(pool.map(request, range(count)))
    service.close()
    return taken


def decode_ours(data: bytes) -> Image.Image:
    return decode_picture(data, LimitSettings())


def decode_plain(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def jpeg(width: int, height: int) -> bytes:
    """Noise at several scales, so that the file is about as large as a photo."""
    chance = np.random.default_rng(7)
    coarse = Image.fromarray(chance.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), np.uint8))
    fine = chance.integers(-12, 13, (height, width, 3), np.int16)
    pixels = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16) + fine
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=88)
    return out.getvalue()


def median(call: Callable[[], object], rounds: int) -> dict[str, float]:
    call()
    taken = []
    for _ in range(rounds):
        with clocked() as one:
            call()
        taken.append(one)
    return {key: statistics.median(one[key] for one in taken) for key in ("wall", "cpu")}


@contextmanager
def clocked() -> Iterator[dict[str, float]]:
    """Seconds by the clock, of this process on the cores, and of all others on them."""
    taken: dict[str, float] = {}
    wall, cpu, busy = time.perf_counter(), time.process_time(), busy_s()
    yield taken
    taken["wall"], taken["cpu"] = time.perf_counter() - wall, time.process_time() - cpu
    taken["others"] = max(0.0, busy_s() - busy - taken["cpu"])


def busy_s() -> float:
    """Seconds that the cores were not idle: user, nice, system, irq, softirq, steal."""
    ticks = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def resident() -> float:
    """MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def report(rows: list[dict[str, Any]]) -> None:
    """Two tables. What is in brackets compares CPU time with the first row's."""
    cases = ["text 1x8", "text 32x8", *(f"pictures {count}" for count in BATCHES)]
    print(table_line("runtime", "load s", "MiB loaded", "MiB at most", *cases))
    print("|---" * (4 + len(cases)) + "|")
    for row in rows:
        sizes = f"{row['load_s']:.1f}", f"{row['load_mib']:.0f}", f"{row['peak_mib']:.0f}"
        print(table_line(row["name"], *sizes, *(call_text(row[case], rows[0][case]) for case in cases)))
    print("\nms a call by the clock / of CPU (times faster than the first row, by CPU)\n")
    print(table_line("runtime", *SIZES))
    print("|---" * (1 + len(SIZES)) + "|")
    for row in rows:
        print(table_line(row["name"], *(jpeg_text(row, rows[0], size) for size in SIZES)))
    print("\n%: of the pictures that the cores, as far as others left them, could decode and embed")


def call_text(taken: dict[str, float], first: dict[str, float]) -> str:
    return f"{1000 * taken['wall']:.1f} / {1000 * taken['cpu']:.1f} ({first['cpu'] / taken['cpu']:.1f}x)"


def jpeg_text(row: dict[str, Any], first: dict[str, Any], size: str) -> str:
    found, other = row["jpeg"][size], first["jpeg"][size]
    # Plain transformers has no service whose overhead could be judged.
    share = "" if row["name"] == PLAIN else f", {100 * found['share']:.0f} %"
    times = (
        f"{found['cpu_ms']:.1f} ms CPU ({other['cpu_ms'] / found['cpu_ms']:.1f}x), decoding {found['decode_ms']:.1f}"
    )
    return f"{found['rate']:.1f}/s, {times}{share}"


def table_line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
