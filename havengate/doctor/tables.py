"""The tables, as this process or the server that holds them sees them, and the places of their pictures."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from havengate.errors import DataFolderBusy, DocumentError, SourceError, UnfitTable

if TYPE_CHECKING:
    from havengate.settings import Settings
    from ingest.administration import Administration
    from schemas.table import PictureSource, TableSchema


class Tables:
    """Filled by ``look``, for the checks that come after it.

    ``served`` is the server that holds the data folder; schemas that it tells have no keys.
    """

    def __init__(self, served: Administration | None = None) -> None:
        self._served = served
        self.models: set[str] = set()
        self.schemas: dict[str, TableSchema] = {}
        self.keys_hidden = False

    def look(self, settings: Settings) -> str:
        if settings.engine.kind == "embedded" and not Path(settings.data_dir).exists():
            return "none yet: `havengate demo` makes two"
        try:
            rows = self._here(settings)
        except DataFolderBusy as busy:
            if self._served is None:
                return f"not looked at: {busy}"
            rows = self._asked(self._served)
        for schema in self.schemas.values():
            self.models.update(index.model for index in schema.vector_indexes.values() if index.model)
        return ", ".join(f"{name} ({count})" for name, count in rows.items()) or "none"

    def sources(self) -> list[tuple[str, PictureSource]]:
        """Table and place, each place once."""
        found: dict[tuple[str, str], tuple[str, PictureSource]] = {}
        for name, schema in self.schemas.items():
            for index in schema.vector_indexes.values():
                if index.source is not None and index.source.kind == "oss":
                    found.setdefault((index.source.endpoint, index.source.bucket), (name, index.source))
        return list(found.values())

    def _here(self, settings: Settings) -> dict[str, str]:
        from havengate.services import services

        rows = {}
        with services(settings) as opened:
            for name in opened.tables.names():
                rows[name] = f"{opened.engine.stats(name).rows} rows"
                self.schemas[name] = opened.engine.table(name).schema
        return rows

    def _asked(self, served: Administration) -> dict[str, str]:
        from schemas.resolve import resolve
        from schemas.vendor import read_schema

        rows = {}
        self.keys_hidden = True
        for told in served.tables():
            name = str(told["table"])
            if "error" in told:
                raise UnfitTable(f"{name}: {told['error']}")
            rows[name] = f"{told['rows']} rows"
            self.schemas[name] = resolve(read_schema(json.dumps(served.table(name)["schema"])))
        return rows


def pictures(source: PictureSource, settings: Settings, *, keys_hidden: bool) -> str:
    """One folder looked at, or one object of a bucket listed."""
    from havengate.endpoints import is_folder
    from havengate.folder_reader import bucket_folder
    from havengate.objects import Readers

    endpoint = source.endpoint or settings.sources.oss_endpoint
    if is_folder(endpoint):
        folder = bucket_folder(endpoint, source.bucket)
        if not folder.is_dir():
            raise SourceError(f"the folder {folder} does not exist; pushes that name pictures in it are refused")
        next(folder.iterdir(), None)
        return f"{folder} is there"
    if keys_hidden and source.keys is not None:
        return f"bucket {source.bucket!r} not looked at: a server does not tell the schema's keys; stop it to look"
    readers = Readers(settings.sources)
    try:
        bucket = readers.bucket(source)
        with suppress(DocumentError):
            bucket.ask("list_objects_v2", MaxKeys=1)
            return f"{bucket.place} answers"
        # Credentials may read and not list; whether they may, only an object that exists could tell.
        return f"{bucket.place} answers, and does not let these credentials list it: they may still read"
    finally:
        readers.close()


def extras(tables: Tables, settings: Settings) -> str:
    """Raises ImportError naming what has to be installed."""
    from importlib.util import find_spec

    from havengate.endpoints import is_folder

    endpoints = [source.endpoint or settings.sources.oss_endpoint for _, source in tables.sources()]
    buckets = bool(settings.blobs.url) or any(not is_folder(endpoint) for endpoint in endpoints)
    needed = {"opensearch": "opensearchpy"} if settings.engine.kind == "opensearch" else {}
    needed |= {"s3": "boto3"} if buckets else {}
    missing = [extra for extra, module in needed.items() if find_spec(module) is None]
    if missing:
        raise ImportError(f"pip install 'havengate[{','.join(missing)}]'")
    return f"{', '.join(needed)} installed" if needed else "none is needed"
