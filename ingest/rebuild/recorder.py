"""The last texts that were searched for, kept for the comparison of a rebuild. Pictures are not kept."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from havengate.errors import HavengateError
from havengate.plan import AndNot, RankNode, TextPayload, VectorTerm
from havengate.search import Searcher
from havengate.types import And, AtLeast, Or
from ingest.rebuild.record import RebuildRecord

if TYPE_CHECKING:
    from pathlib import Path

    from havengate.plan import BoolNode, SearchPlan
    from havengate.services import Services
    from havengate.types import SearchResult

_LOG = logging.getLogger(__name__)
_PAUSE_S = 10.0


class QueryRecorder:
    """In memory, and written down every few seconds by a thread of its own: a search never waits for it.

    Any thread. What a killed process had not written is lost.
    """

    def __init__(
        self, data_dir: Path, keep: int, pause_s: float = _PAUSE_S, now: Callable[[], float] = time.time
    ) -> None:
        """``keep`` texts of each table's index; 0: none."""
        self._data_dir = data_dir
        self._keep = keep
        self._pause_s = pause_s
        self._now = now
        self._mutex = threading.Lock()
        self._asked: dict[tuple[str, str], dict[str, float]] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def record(self, table: str, index: str, text: str) -> None:
        if not self._keep:
            return
        with self._mutex:
            texts = self._asked.setdefault((table, index), {})
            # The last one asked stands last.
            texts.pop(text, None)
            texts[text] = self._now()
            if len(texts) > self._keep:
                del texts[next(iter(texts))]
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_later, name="recorded-queries", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Writes what is left."""
        self._ended.set()
        with self._mutex:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _write_later(self) -> None:
        self._ended.wait(self._pause_s)
        with self._mutex:
            asked, self._asked, self._thread = self._asked, {}, None
        lines = [(*key, text, at) for key, texts in asked.items() for text, at in texts.items()]
        try:
            with closing(RebuildRecord(self._data_dir)) as record:
                record.record_queries(lines, self._keep)
        except HavengateError as error:
            _LOG.warning("texts that were searched for are not kept: %s", error.message)


class RecordingSearcher(Searcher):
    """Records the texts of plans that were answered."""

    recorder: QueryRecorder

    def search(self, plan: SearchPlan) -> SearchResult:
        result = super().search(plan)
        for index, text in texts(plan.query):
            self.recorder.record(plan.table, index, text)
        return result


def recording(services: Services, recorder: QueryRecorder) -> Services:
    """The same services, whose searches are recorded."""
    blobs, limits = services.tables.blobs, services.settings.limits
    searcher = RecordingSearcher(services.engine, services.embedding, blobs, limits)
    searcher.recorder = recorder
    return replace(services, searcher=searcher)


def texts(node: BoolNode | None) -> Iterator[tuple[str, str]]:
    """(index, text) of every vector term that is asked by a text."""
    match node:
        case VectorTerm(index=index, payload=TextPayload(text)):
            yield index, text
        case And(items=items) | Or(items=items) | AtLeast(items=items):
            for item in items:
                yield from texts(item)
        case AndNot(keep=keep, drop=drop):
            yield from texts(keep)
            yield from texts(drop)
        case RankNode(keep=keep, boosts=boosts):
            for part in (keep, *boosts):
                yield from texts(part)
