"""An ingest of JPEG files with the model `builtin`: CPU seconds of each stage alone, and of all together.

The demo's photos, repeated with changed bytes so that none is known already. Every measurement is a process of its
own. The bound is cores / (sum of the stages' CPU seconds for one picture); what others took of the cores meanwhile is
not counted as ours to use.

    python bench/ingest_stages.py [--pictures 600] [--kind oss|base64]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

from embed import CORES, clocked, in_process

from engines.contract import TableSpec
from havengate.images import decode_base64, decode_picture
from havengate.services import Services, open_services
from havengate.settings import Settings
from ingest.history_store import HistoryStore
from ingest.ingest_job import KIND, opened, run_ingest
from ingest.jobs.control import JobControl, quiet
from ingest.jobs.model import Kind
from ingest.jobs.store import JobStore
from schemas.settings import TableSettings
from schemas.templates import template

STAGES = ("read", "decode and prepare", "embed", "write")
MODEL = "builtin"
PHOTOS = Path(__file__).parent.parent / "examples"
_KEY = ({"field_name": "id", "field_type": "STRING"},)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--kind", choices=["oss", "base64"], default="oss", help="rows name pictures, or hold them")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    print(f"{CORES} cores, load {os.getloadavg()[0]:.1f}, {given.pictures} pictures, rows of kind {given.kind}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder / "photos", given.pictures)
        stages = in_process(measure_stages, folder / "stages", folder / "photos", given.kind, given.pictures)
        total = sum(stages.values())
        print("\n| stage | ms of CPU a picture | share |\n|---|---|---|")
        for stage in STAGES:
            print(f"| {stage} | {1000 * stages[stage]:.2f} | {100 * stages[stage] / total:.0f} % |")
        print(f"| all | {1000 * total:.2f} | bound {CORES / total:.1f} pictures/s |\n")
        for number in range(given.rounds):
            whole = in_process(measure_whole, folder / f"whole{number}", folder / "photos", given.kind)
            report(whole, given.pictures, total)


def report(whole: dict[str, float], pictures: int, stages_s: float) -> None:
    left = max(whole["cpu"], whole["wall"] * CORES - whole["others"])
    print(
        f"end to end: {pictures / whole['wall']:.1f} pictures/s, "
        f"{1000 * whole['cpu'] / pictures:.2f} ms of CPU a picture, "
        f"{left / whole['wall']:.2f} cores left by others: {100 * stages_s * pictures / left:.0f} % of the bound"
    )


def write_photos(folder: Path, count: int) -> None:
    folder.mkdir()
    originals = sorted(PHOTOS.rglob("*.jpg"))
    for number in range(count):
        # What follows a JPEG's end is read by nobody.
        data = originals[number % len(originals)].read_bytes() + number.to_bytes(4)
        (folder / f"{number:06}.jpg").write_bytes(data)


def open_table(data_dir: Path, pictures: Path, kind: str) -> tuple[Services, TableSpec]:
    found = open_services(Settings(data_dir=data_dir))
    schema = template(kind, extra_fields=_KEY, **({"endpoint": pictures.as_uri()} if kind == "oss" else {}))
    spec = found.tables.create("t", schema, TableSettings())
    found.embedding.warm_up([MODEL])
    return found, found.engine.table(spec.name)


def open_job(data_dir: Path, pictures: Path) -> JobControl:
    store = JobStore(data_dir)
    job, _ = store.take(
        store.add(KIND, "t", {"source": str(pictures)}, "bench").id, {KIND: Kind(KIND, "current", run_ingest)}
    )
    return JobControl(store, job, quiet, threading.Event())


def measure_stages(data_dir: Path, pictures: Path, kind: str, count: int) -> dict[str, float]:
    """CPU seconds a picture, one stage after the other, each with nothing beside it."""
    found, spec = open_table(data_dir, pictures, kind)
    size, limits = found.settings.embedding.batch, found.settings.limits
    with clocked() as read:
        batches = list(opened(found, spec, str(pictures)).batches(None, size))
    records = [record for batch in batches for record in batch.records]
    source = next(iter(spec.schema.vector_indexes.values())).source
    values = [str(record.fields[source.field]) for record in records]
    reader = found.readers.reader(source) if kind == "oss" else None
    with clocked() as prepare:
        pixels = []
        for value in values:
            data = reader.read(value, limits.picture_bytes) if reader else decode_base64(value)
            pixels.append(found.embedding.prepare(MODEL, decode_picture(data, limits)))
    with clocked() as embed:
        found.embedding.embed_pixels(MODEL, pixels)
    from havengate.documents import Command

    control = open_job(data_dir, pictures)
    made = [
        (batch, found.documents.prepared(spec, [Command("add", record.fields) for record in batch.records]))
        for batch in batches
    ]
    with clocked() as write:
        for batch, prepared in made:
            control.first_places([(draft.pk, "") for draft in prepared.drafts])
            found.documents.write(prepared, strict=True)
            control.save({"source": dict(batch.after)}, done=control.job.done + len(batch.records))
    found.close()
    return {stage: taken["cpu"] / count for stage, taken in zip(STAGES, (read, prepare, embed, write), strict=True)}


def measure_whole(data_dir: Path, pictures: Path, kind: str) -> dict[str, Any]:
    found, _ = open_table(data_dir, pictures, kind)
    control = open_job(data_dir, pictures)
    with clocked() as taken:
        run_ingest(found, HistoryStore(data_dir), control)
    found.close()
    return taken


if __name__ == "__main__":
    main()
