"""The demo's two tables: `general` reads all photos from a bucket folder, `clothes` is pushed by the vendor's SDK."""

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
    from schemas.templates import Kind
    from schemas.vendor import VendorSchema

GENERAL, CLOTHES = "general", "clothes"
_PUSH = 30


def create_tables(settings: Settings) -> bool:
    """Creates what is missing and fills `general`; whether `clothes` still lacks rows."""
    with services(settings, wait_s=2.0) as opened:
        names = opened.tables.names()
        if GENERAL not in names:
            _create(opened, GENERAL, _schema("oss", endpoint=folder().as_uri()))
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


def folder() -> Path:
    """The folder of the bundled photos, the bucket of `general`."""
    import examples

    return examples.folder().resolve()


def rows(table: str) -> list[dict[str, object]]:
    """A table's rows: id, vector_source_image (a path in ``folder()``), cate_id, title."""
    subjects = (GENERAL, CLOTHES) if table == GENERAL else (CLOTHES,)
    return [row for subject in subjects for row in _manifest(subject)]


def photo(row: dict[str, object]) -> Path:
    """The file of a row."""
    return folder() / str(row["vector_source_image"]).lstrip("/")


def _manifest(subject: str) -> list[dict[str, object]]:
    lines = (folder() / subject / f"{subject}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [row | {"vector_source_image": f"/{subject}{row['vector_source_image']}"} for row in rows]


def _base64(row: dict[str, object]) -> str:
    return base64.b64encode(photo(row).read_bytes()).decode()


def _schema(kind: Kind, **source: str) -> VendorSchema:
    from schemas.templates import template

    title = {"field_name": "title", "field_type": "STRING"}
    return template(kind, model="builtin", extra_fields=(title,), **source)


def _create(opened: Services, name: str, schema: VendorSchema) -> None:
    from schemas.settings import TableSettings

    opened.tables.create(name, schema, TableSettings())


def _fill_general(opened: Services) -> None:
    from tqdm import tqdm

    from ingest.files import Item
    from ingest.load import load

    items = [Item(str(photo(row)), row) for row in rows(GENERAL)]
    with tqdm(total=len(items), unit="pictures", desc=f"{GENERAL}: reading the folder") as bar:
        load(opened.documents, opened.engine.table(GENERAL), items, reject=_refuse, progress=bar.update)


def _refuse(place: str, reason: str) -> None:
    raise RequestError(f"{place}: {reason}")
