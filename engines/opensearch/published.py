"""Documents for people: indexes beside the tables' that Dashboards can show. Copies, of which nothing is read again.

Of the change history the gateway's own is the truth, and publishes again what could not be written here. Slow searches
are kept nowhere else, and only for some days.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opensearchpy import exceptions

from engines.opensearch.mapping import copies
from engines.opensearch.names import document_id

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from engines.contract import Published
    from engines.opensearch.names import Names
    from havengate.setting_groups import EngineSettings

_LOG = logging.getLogger(__name__)
_PATIENCE_S = 5.0
_DAY_S = 86_400.0
_SHOWN_ONLY = {"type": "object", "enabled": False}


@dataclass(frozen=True, slots=True)
class _Kind:
    """Of documents: their index, and what people search it by. ``at`` is the time of each."""

    index: str
    dates: tuple[str, ...]
    properties: Mapping[str, Any]
    ages: bool = False
    templates: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def mapping(self) -> dict[str, Any]:
        dates = {name: {"type": "date"} for name in self.dates}
        # What a newer version adds is shown, too, but not searched.
        return {"dynamic": "false", "dynamic_templates": self.templates, "properties": {**dates, **self.properties}}


def _all(kind: str, *names: str) -> dict[str, Any]:
    return {name: {"type": kind} for name in names}


KINDS: Mapping[Published, _Kind] = {
    "changes": _Kind(
        "change-history",
        ("at", "ended"),
        {
            **_all("keyword", "what", "table", "by", "state"),
            **_all("long", "id", "version", "job", "read", "written", "deleted", "rejected"),
            **_all("double", "progress"),
            "detail": _SHOWN_ONLY,
        },
    ),
    "slow-searches": _Kind(
        "slow-searches",
        ("at",),
        {
            **_all("keyword", "table", "dialect", "request_id", "error"),
            **_all("long", "total", "hits"),
            **_all("double", "took_ms"),
            "stages": {"type": "object", "dynamic": "true"},
            "plan": _SHOWN_ONLY,
        },
        ages=True,
        templates=[{"stages": {"path_match": "stages.*", "mapping": {"type": "double"}}}],
    ),
}


class Publications:
    """``keep_days``: how long documents that age are kept, from the day of their ``at``."""

    def __init__(
        self,
        client: OpenSearch,
        names: Names,
        settings: EngineSettings,
        keep_days: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._names = names
        self._settings = settings
        self._keep_days = keep_days
        self._clock = clock
        self._next_look = float("-inf")

    def publish(self, kind: Published, key: str, document: Mapping[str, object]) -> None:
        try:
            self._put(kind, key, document)
        except exceptions.NotFoundError:
            self._create(kind)
            self._put(kind, key, document)
        if KINDS[kind].ages and self._clock() >= self._next_look:
            # Whatever comes of it: of several gateways each looks once a day, and one of them will succeed.
            self._next_look = self._clock() + _DAY_S
            self._forget_old(kind)

    def _put(self, kind: Published, key: str, document: Mapping[str, object]) -> None:
        dates = KINDS[kind].dates
        body = {name: _instant(value) if name in dates else value for name, value in document.items()}
        parameters = {"require_alias": "true", "request_timeout": _PATIENCE_S}
        alias = self._names.published_alias(KINDS[kind].index)
        self._client.index(index=alias, id=document_id(key), body=body, params=parameters)

    def _create(self, kind: Published) -> None:
        index = KINDS[kind].index
        body = {
            "settings": {"index": {"number_of_shards": 1, **copies(self._settings)}},
            "mappings": KINDS[kind].mapping,
            "aliases": {self._names.published_alias(index): {}},
        }
        parameters = {"request_timeout": _PATIENCE_S}
        try:
            self._client.indices.create(index=self._names.published(index), body=body, params=parameters)
        except exceptions.RequestError as error:
            # Another gateway was first.
            if error.error != "resource_already_exists_exception":
                raise

    def _forget_old(self, kind: Published) -> None:
        old = {"query": {"range": {"at": {"lt": f"now-{self._keep_days}d"}}}}
        parameters = {"conflicts": "proceed", "request_timeout": _PATIENCE_S}
        alias = self._names.published_alias(KINDS[kind].index)
        try:
            self._client.delete_by_query(index=alias, body=old, params=parameters)
        except exceptions.OpenSearchException as error:
            # The document was published, which is what the caller asked for.
            _LOG.warning("old documents of %s stay for another day: %s", kind, error)


def _instant(value: object) -> object:
    """Seconds of the epoch as ISO 8601 to the millisecond."""
    if not isinstance(value, int | float):
        return value
    return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
