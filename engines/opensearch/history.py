"""Entries of the change history as documents of an index that Dashboards can show: a copy for people.

The gateway's own history is the truth, and publishes again what could not be written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opensearchpy import exceptions

from engines.opensearch.mapping import copies
from engines.opensearch.names import document_id

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from engines.opensearch.names import Names
    from havengate.setting_groups import EngineSettings

_PATIENCE_S = 5.0
_DATES = ("at", "ended")
_WORDS = ("what", "table", "by", "state")
_NUMBERS = ("id", "version", "job", "read", "written", "deleted", "rejected")


class History:
    def __init__(self, client: OpenSearch, names: Names, settings: EngineSettings) -> None:
        self._client = client
        self._names = names
        self._settings = settings

    def publish(self, key: str, change: Mapping[str, object]) -> None:
        try:
            self._put(key, change)
        except exceptions.NotFoundError:
            self._create()
            self._put(key, change)

    def _put(self, key: str, change: Mapping[str, object]) -> None:
        document = {name: _instant(value) if name in _DATES else value for name, value in change.items()}
        parameters = {"require_alias": "true", "request_timeout": _PATIENCE_S}
        self._client.index(index=self._names.history_alias, id=document_id(key), body=document, params=parameters)

    def _create(self) -> None:
        body = {
            "settings": {"index": {"number_of_shards": 1, **copies(self._settings)}},
            "mappings": MAPPING,
            "aliases": {self._names.history_alias: {}},
        }
        try:
            self._client.indices.create(index=self._names.history, body=body, params={"request_timeout": _PATIENCE_S})
        except exceptions.RequestError as error:
            # Another gateway was first.
            if error.error != "resource_already_exists_exception":
                raise


MAPPING: Mapping[str, Any] = {
    # What a newer version adds is shown, too, but not searched.
    "dynamic": "false",
    "properties": {
        **{name: {"type": "date"} for name in _DATES},
        **{name: {"type": "keyword"} for name in _WORDS},
        **{name: {"type": "long"} for name in _NUMBERS},
        "progress": {"type": "double"},
        "detail": {"type": "object", "enabled": False},
    },
}


def _instant(value: object) -> object:
    """Seconds of the epoch as ISO 8601 to the millisecond."""
    if not isinstance(value, int | float):
        return value
    return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
