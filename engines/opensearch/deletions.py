"""What was deleted from a generation: a small index beside it, made with the first deletion and dropped with it.

A row that is gone has no number in the cluster that anybody could ask for, so a deletion leaves its keys here. They
are written once before, as what the call is about to do, and once after it, by key, and then the first entry goes: a
reader of the journal (journal.py) takes all that somebody is about to do, and what was done since its mark. Of a call
that was killed in between, the first entry stays, and says no more than needed: rows are looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opensearchpy import exceptions

from engines.opensearch.mapping import copies
from engines.opensearch.names import document_id
from havengate.errors import HavengateError, UnknownTable

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from engines.opensearch.names import Names
    from engines.opensearch.stored import Stored
    from engines.opensearch.writes import Action, Writes
    from havengate.setting_groups import EngineSettings

OPEN = "open"
"""The field that says that a deletion is not over, as far as anybody knows."""
KEYS = "keys"
_KEYS_PER_ENTRY = 10_000
_EXISTS = "resource_already_exists_exception"


class Deletions:
    def __init__(self, client: OpenSearch, writes: Writes, names: Names, settings: EngineSettings) -> None:
        self._client = client
        self._writes = writes
        self._names = names
        self._settings = settings

    def alias(self, stored: Stored) -> str:
        return self._names.deletions_alias(stored.spec.table, stored.generation)

    def begin(self, stored: Stored, call: str, pks: Sequence[str]) -> None:
        """``call`` is a name that no other call has; one that is made again uses it again."""
        entries: list[Action] = [
            ({"index": {"_id": id_}}, {OPEN: True, KEYS: keys}) for id_, keys in _entries(call, pks).items()
        ]
        try:
            self._writes.run(self.alias(stored), entries, refresh=False)
        except UnknownTable:
            self._create(stored)
            self._writes.run(self.alias(stored), entries, refresh=False)

    def end(self, stored: Stored, call: str, pks: Sequence[str]) -> None:
        """The rows are gone whatever happens here: what ``begin`` wrote says the same."""
        done: list[Action] = [({"index": {"_id": document_id(pk)}}, {KEYS: [pk]}) for pk in pks]
        # The index has one shard, which does what it is told in this order.
        gone: list[Action] = [({"delete": {"_id": id_}}, None) for id_ in _entries(call, pks)]
        with suppress(exceptions.TransportError, HavengateError):
            self._writes.run(self.alias(stored), [*done, *gone], refresh=False)

    def _create(self, stored: Stored) -> None:
        if not self._client.indices.exists(index=stored.index):
            raise UnknownTable(f"generation {stored.generation!r} of table {stored.spec.table!r} is gone")
        try:
            self._client.indices.create(index=self._names.deletions(stored.index), body=self._body(stored))
        except exceptions.RequestError as error:
            # Another call was first.
            if error.error != _EXISTS:
                raise

    def _body(self, stored: Stored) -> dict[str, Any]:
        shown = {"type": "keyword", "index": False, "doc_values": False}
        return {
            "settings": {"index": {"number_of_shards": 1, "refresh_interval": "-1", **copies(self._settings)}},
            "mappings": {"dynamic": "strict", "properties": {OPEN: {"type": "boolean"}, KEYS: shown}},
            "aliases": {self.alias(stored): {}},
        }


def _entries(call: str, pks: Sequence[str]) -> dict[str, list[str]]:
    """Keys by the _id of their entry, which is no row's."""
    starts = range(0, len(pks), _KEYS_PER_ENTRY)
    return {f"?{call}.{start}": list(pks[start : start + _KEYS_PER_ENTRY]) for start in starts}
