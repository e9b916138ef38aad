"""Remembers of which conditions few rows were left, so that the next search is asked exactly at once.

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
        self._few: OrderedDict[str, None] = OrderedDict()
        self._guard = threading.Lock()

    def were_few(self, alias: str, clause: Clause) -> bool:
        key = _key(alias, clause)
        with self._guard:
            if key not in self._few:
                return False
            self._few.move_to_end(key)
            return True

    def learn(self, alias: str, clause: Clause, *, few: bool) -> None:
        key = _key(alias, clause)
        if len(key) > _LONGEST:
            return
        with self._guard:
            if not few:
                self._few.pop(key, None)
                return
            self._few[key] = None
            while len(self._few) > _MOST:
                self._few.popitem(last=False)


def _key(alias: str, clause: Clause) -> str:
    return f"{alias} {json.dumps(clause)}"
