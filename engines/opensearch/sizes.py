"""Remembers how many rows conditions left, so that a search of few is asked exactly at once.

Only a hint: an exact search is right however many rows there are, and says how many that was.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engines.opensearch.dsl import Clause

_MOST = 1024
_LONGEST = 4096


class Sizes:
    def __init__(self) -> None:
        self._rows: OrderedDict[str, int] = OrderedDict()
        self._guard = threading.Lock()

    def were_few(self, alias: str, clause: Clause, few: int) -> bool:
        """Whether the rows were at most so many the last time."""
        key = _key(alias, clause)
        with self._guard:
            if self._rows.get(key, few + 1) > few:
                return False
            self._rows.move_to_end(key)
            return True

    def learn(self, alias: str, clause: Clause, rows: int) -> None:
        key = _key(alias, clause)
        if len(key) > _LONGEST:
            return
        with self._guard:
            self._rows[key] = rows
            self._rows.move_to_end(key)
            while len(self._rows) > _MOST:
                self._rows.popitem(last=False)

    def forget(self, alias: str, clause: Clause) -> None:
        with self._guard:
            self._rows.pop(_key(alias, clause), None)


def _key(alias: str, clause: Clause) -> str:
    return f"{alias} {json.dumps(clause)}"
