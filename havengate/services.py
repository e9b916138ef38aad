"""The use cases wired to one engine, for entry points: the server, the CLI, the demo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from havengate.documents import Documents
from havengate.errors import SettingsError
from havengate.objects import Readers
from havengate.search import Searcher
from havengate.tables import Tables
from havengate.thumbnails import Thumbnails

if TYPE_CHECKING:
    from embedding.service import EmbeddingService
    from engines.contract import Engine
    from havengate.blobs import BlobStore
    from havengate.settings import Settings
    from havengate.types import SearchPlan
    from query_parser.plan import Resolve
    from query_parser.request import HaRequest


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    engine: Engine
    embedding: EmbeddingService
    tables: Tables
    searcher: Searcher
    documents: Documents
    readers: Readers
    thumbnails: Thumbnails

    def models(self) -> set[str]:
        """Models that searches of the tables need."""
        return self.tables.models()

    def close(self) -> None:
        self.embedding.close()
        self.readers.close()
        self.tables.blobs.close()
        self.engine.close()


def open_services(settings: Settings, *, wait_s: float = 0.0) -> Services:
    """Opens the engine; the embedded one waits up to ``wait_s`` seconds for a former owner of the data folder to go.

    Raises DataFolderBusy, EngineError, SettingsError.
    """
    from embedding.service import EmbeddingService
    from havengate.bucket_blobs import open_blobs

    blobs = open_blobs(settings)
    engine = _open_engine(settings, wait_s)
    return wire(settings, engine, EmbeddingService(settings.embedding), blobs)


def wire(settings: Settings, engine: Engine, embedding: EmbeddingService, blobs: BlobStore) -> Services:
    """The use cases over these parts."""
    readers = Readers(settings.sources)
    return Services(
        settings=settings,
        engine=engine,
        embedding=embedding,
        tables=Tables(engine, embedding, blobs, settings.default_table),
        searcher=Searcher(engine, embedding, blobs, settings.limits),
        documents=Documents(engine, embedding, blobs, readers, settings),
        readers=readers,
        thumbnails=Thumbnails(engine, blobs, readers, settings),
    )


def _open_engine(settings: Settings, wait_s: float) -> Engine:
    if settings.engine.kind == "embedded":
        from engines.embedded.engine import EmbeddedEngine

        return EmbeddedEngine.open(settings.data_dir, wait_s=wait_s)
    try:
        from engines.opensearch.engine import OpenSearchEngine
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"HAVENGATE_ENGINE__KIND=opensearch needs {error.name}: pip install 'havengate[opensearch]'"
        ) from error
    return OpenSearchEngine.open(settings.engine, keep_days=settings.jobs.keep_days)


@contextmanager
def services(settings: Settings, *, wait_s: float = 0.0) -> Iterator[Services]:
    """``open_services`` as a context that closes what it opened."""
    opened = open_services(settings, wait_s=wait_s)
    try:
        yield opened
    finally:
        opened.close()


def plan_of(services: Services, request: HaRequest, resolve: Resolve | None = None) -> SearchPlan:
    """The plan of a parsed HA3 request over these tables, or those that ``resolve`` gives out.

    Raises as query_parser.plan.plan_request does.
    """
    from havengate.bind import bind
    from query_parser.plan import plan_request

    window = services.settings.limits.window
    return plan_request(
        request,
        resolve or services.tables.resolve,
        index_aliases=services.settings.alias_set,
        window=window,
        check=partial(bind, window=window),
    )
