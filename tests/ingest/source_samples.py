"""One small source of each kind, with broken records among good ones."""

import csv
import gzip
import json
from pathlib import Path

import polars as pl
from colour_model import picture
from maxcompute_double import KEY_ID, KEY_SECRET, Data, Part
from pydantic import SecretStr

from engines.contract import TableSpec
from havengate.setting_groups import SourceSettings
from havengate.settings import Settings
from ingest.sources.opening import open_source
from schemas.resolve import resolve
from schemas.settings import TableSettings
from schemas.templates import template

EXTRA = (
    {"field_name": "title", "field_type": "STRING"},
    {"field_name": "price", "field_type": "FLOAT"},
    {"field_name": "labels", "field_type": "STRING", "multi_value": True},
    {"field_name": "tags", "field_type": "MAP"},
)
ROWS = 23


def table(kind="base64", key_type="STRING", extra=EXTRA, **source):
    key = {"field_name": "id", "field_type": key_type}
    vendor = template(kind, extra_fields=(key, *extra), **source)
    return TableSpec("t", resolve(vendor), vendor.to_json(), TableSettings(), {})


def opened(text, spec=None, settings=None, *, engine=None, blobs=None):
    return open_source(
        str(text), spec or table(), settings=settings or Settings(), engine=engine, blobs=blobs, readers=None
    )


def records(source, after=None, size=1000):
    return [record for batch in source.batches(after, size) for record in batch.records]


def read(text, spec=None, **options):
    """(fields or None, error) of each record."""
    return [(record.fields, record.error) for record in records(opened(text, spec, **options))]


def folder(root: Path):
    here = root / "pictures"
    for name in ("b", "a/deep", "z"):
        (here / name).mkdir(parents=True)
    for number in range(ROWS):
        parent = here / ("", "b", "a/deep", "z")[number % 4]
        (parent / f"{number}.png").write_bytes(picture("red"))
        (parent / f"{number}.txt").touch()
    (here / "b" / "empty.png").touch()
    return here


def jsonl(root: Path):
    (root / "red.png").write_bytes(picture("red"))
    lines = [json.dumps({"id": n, "title": f"红 {n}", "vector_source_image": "red.png"}) for n in range(ROWS)]
    lines[5] = "{broken"
    lines[9] = ""
    (root / "rows.jsonl").write_text("\n".join(lines))
    return root / "rows.jsonl"


def packed(root: Path):
    path = root / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(jsonl(root).read_bytes()))
    return path


def delimited(root: Path):
    with (root / "rows.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "title", "labels"])
        for number in range(ROWS):
            writer.writerow([number, f'a "quoted"\nline {number}', '["x", "y"]'])
            if number % 7 == 0:
                file.write("too,few\r\n")
            if number % 9 == 0:
                file.write('1,"broken" quote,\r\n')
    return root / "rows.csv"


def parquet(root: Path):
    frame = pl.DataFrame(
        {
            "id": range(ROWS),
            "labels": [["x", str(n)] for n in range(ROWS)],
            "title": [None if n % 5 == 0 else f"t{n}" for n in range(ROWS)],
        }
    )
    frame.write_parquet(root / "rows.parquet", row_group_size=6)
    return root / "rows.parquet"


def maxcompute_data():
    columns = [("id", "bigint"), ("title", "string"), ("price", "double")]
    rows = [{"id": n, "title": f"t{n}".encode(), "price": n / 2} for n in range(ROWS)]
    rows[4]["title"] = b"\xff"
    parts = {
        "ds=20260101,region=cn": Part(rows[:11]),
        "ds=20260101,region=us": Part(rows[11:]),
        "ds=20260102,region=cn": Part(rows[:3]),
        "ds=20260103,region=cn": Part([]),
    }
    return Data(columns, [("ds", "string"), ("region", "string")], parts)


def maxcompute_settings(double, **changes):
    given = {
        "maxcompute_endpoint": double.endpoint,
        "maxcompute_access_key_id": KEY_ID,
        "maxcompute_access_key_secret": SecretStr(KEY_SECRET),
        "timeout_s": 5,
    }
    return Settings(sources=SourceSettings(**given | changes))
