"""The demo's two tables: `general` read from a folder as if it were a bucket, `clothes` pushed by the vendor's SDK."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

from havengate.errors import EngineError, RequestError
from havengate.services import services

if TYPE_CHECKING:
    from havengate.demo.samples import SampleClient
    from havengate.services import Services
    from havengate.settings import Settings
    from schemas.vendor import VendorSchema

GENERAL, CLOTHES = "general", "clothes"
_PUSH = 30


def create_tables(settings: Settings) -> bool:
    """Creates what is missing and fills `general`; whether `clothes` still lacks rows."""
    with services(settings, wait_s=2.0) as opened:
        names = opened.tables.names()
        if GENERAL not in names:
            _create(opened, GENERAL, _schema("oss", endpoint=photos("").as_uri(), bucket=GENERAL))
        if CLOTHES not in names:
            _create(opened, CLOTHES, _schema("base64"))
        if opened.engine.stats(GENERAL).rows < len(rows(GENERAL)):
            _fill_general(opened)
        return opened.engine.stats(CLOTHES).rows < len(rows(CLOTHES))


def push_clothes(client: SampleClient) -> None:
    """Pushes the files' exact bytes as Base64, some at a time, with a progress bar."""
    from tqdm import tqdm

    documents = rows(CLOTHES)
    with tqdm(total=len(documents), unit="pictures", desc=f"{CLOTHES}: pushing with the SDK") as bar:
        for start in range(0, len(documents), _PUSH):
            batch = documents[start : start + _PUSH]
            commands = [{"cmd": "add", "fields": row | {"vector_source_image": _base64(row)}} for row in batch]
            answer = client.push(CLOTHES, "id", commands)
            if answer.get("status") != "OK":
                raise EngineError(f"the push was refused: {answer}")
            bar.update(len(batch))


def photos(table: str) -> Path:
    """The folder of a table's bundled photos."""
    import examples

    return examples.folder().resolve() / table


def rows(table: str) -> list[dict[str, object]]:
    """The table's manifest: id, vector_source_image, cate_id, title."""
    lines = (photos(table) / f"{table}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _base64(row: dict[str, object]) -> str:
    path = photos(CLOTHES) / str(row["vector_source_image"]).lstrip("/")
    return base64.b64encode(path.read_bytes()).decode()


def _schema(kind: str, **source: str) -> VendorSchema:
    from schemas.templates import template

    title = {"field_name": "title", "field_type": "STRING"}
    return template(kind, model="builtin", extra_fields=(title,), **source)


def _create(opened: Services, name: str, schema: VendorSchema) -> None:
    from schemas.settings import TableSettings

    opened.tables.create(name, schema, TableSettings())


def _fill_general(opened: Services) -> None:
    from tqdm import tqdm

    from ingest.files import count_items, read_items
    from ingest.load import load

    manifest = photos(GENERAL) / f"{GENERAL}.jsonl"
    table = opened.engine.table(GENERAL)
    items = read_items(manifest, table, opened.settings.limits.picture_bytes)
    with tqdm(total=count_items(manifest), unit="pictures", desc=f"{GENERAL}: reading the folder") as bar:
        load(opened.documents, table, items, reject=_refuse, progress=bar.update)


def _refuse(place: str, reason: str) -> None:
    raise RequestError(f"{place}: {reason}")
