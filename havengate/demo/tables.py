"""The demo's two tables: `general` reads all photos from a bucket folder, `clothes` is pushed by the vendor's SDK."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from havengate.errors import RequestError, SettingsError
from havengate.services import services
from schemas.templates import template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from havengate.demo.samples import SampleClient
    from havengate.services import Services
    from havengate.settings import Settings
    from schemas.vendor import VendorSchema

GENERAL, CLOTHES = "general", "clothes"
_PUSH = 30


def create_tables(settings: Settings) -> bool:
    """Creates what is missing and fills `general`; whether `clothes` is still to be pushed.

    A table that was complete once is not touched again. Raises SettingsError, before anything is created, for a
    table of one of the names that the demo did not make.
    """
    from ingest.table_administration import open_administration

    with services(settings, wait_s=2.0) as opened, closing(open_administration(opened, "demo")) as desk:
        missing = {GENERAL, CLOTHES}.difference(opened.tables.names())
        for name in {GENERAL, CLOTHES} - missing:
            _check_own(opened, name)
        for name in missing:
            _marker(settings, name).unlink(missing_ok=True)
            desk.create_table(name, _schema(name))
        if not _marker(settings, GENERAL).exists():
            _fill_general(opened)
            desk.history.pushed(GENERAL, desk.by, written=len(rows(GENERAL)), deleted=0, rejected=0)
            _mark_complete(settings, GENERAL)
        return not _marker(settings, CLOTHES).exists()


def push_clothes(client: SampleClient, settings: Settings) -> None:
    """Pushes the files' exact bytes as Base64, some at a time, with a progress bar."""
    from tqdm import tqdm

    documents = rows(CLOTHES)
    size = min(_PUSH, settings.push.max_documents, settings.push.max_pictures)
    with tqdm(total=len(documents), unit="pictures", desc=f"{CLOTHES}: pushing with the SDK") as bar:
        for start in range(0, len(documents), size):
            batch = documents[start : start + size]
            client.push(
                CLOTHES,
                "id",
                [{"cmd": "add", "fields": row | {"vector_source_image": _base64(row)}} for row in batch],
            )
            bar.update(len(batch))
    _mark_complete(settings, CLOTHES)


def folder() -> Path:
    """The folder of the bundled photos, the bucket of `general`."""
    # By its place: pyodps has a package of that name, which hides ours where this one is installed in place.
    return Path(__file__).resolve().parents[2] / "examples"


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


def _schema(name: str) -> VendorSchema:
    title = {"field_name": "title", "field_type": "STRING"}
    if name == GENERAL:
        return template("oss", endpoint=folder().as_uri(), extra_fields=(title,))
    return template("base64", extra_fields=(title,))


def _marker(settings: Settings, name: str) -> Path:
    """The file that says that a table was filled once; it holds the schema that the table was made with."""
    return settings.data_dir / "demo" / f"{name}.done"


def _mark_complete(settings: Settings, name: str) -> None:
    marker = _marker(settings, name)
    marker.parent.mkdir(exist_ok=True)
    marker.write_text(_text(_schema(name).to_json()), encoding="utf-8")


def _text(schema: Mapping[str, object]) -> str:
    return json.dumps(schema, sort_keys=True)


def _check_own(opened: Services, name: str) -> None:
    stored = _text(opened.engine.table(name).vendor_schema)
    marker = _marker(opened.settings, name)
    # The schema names the photos' folder: a table that was made by an installation elsewhere has its own.
    own = {_text(_schema(name).to_json()), marker.read_text(encoding="utf-8") if marker.exists() else ""}
    if stored not in own:
        raise SettingsError(
            f"{opened.settings.data_dir} has a table {name!r} that the demo did not make: "
            "set HAVENGATE_DATA_DIR to another folder"
        )


def _fill_general(opened: Services) -> None:
    from tqdm import tqdm

    from havengate.documents import Command

    table, push = opened.engine.table(GENERAL), opened.settings.push
    size = min(_PUSH, push.max_documents, push.max_pictures)
    photos = rows(GENERAL)
    with tqdm(total=len(photos), unit="pictures", desc=f"{GENERAL}: reading the folder") as bar:
        for start in range(0, len(photos), size):
            part = photos[start : start + size]
            report = opened.documents.push(table, [Command("add", row) for row in part])
            for failure in report.failures:
                _refuse(str(photo(part[failure.index])), failure.message)
            bar.update(len(part))


def _refuse(place: str, reason: str) -> None:
    raise RequestError(f"{place}: {reason}")
