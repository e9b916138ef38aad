"""What tables and rows are called in the cluster."""

from __future__ import annotations

import hashlib
import re

from engines.checks import is_table_name

_FIRST_GENERATION = 1
_PLAIN_ID = re.compile(r"[A-Za-z0-9.-]{1,200}", re.ASCII)


class Names:
    """Alias ``<prefix><table>`` -> index ``<prefix><table>-g1``, all under one prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    @property
    def every_alias(self) -> str:
        return f"{self._prefix}*"

    def alias(self, table: str) -> str:
        return f"{self._prefix}{table}"

    def index(self, table: str, generation: int = _FIRST_GENERATION) -> str:
        # Names of indexes are lower case, names of tables are not: T becomes -t, which no table's name can hold.
        lower = re.sub(r"[A-Z]", lambda letter: f"-{letter[0].lower()}", table)
        return f"{self._prefix}{lower}-g{generation}"

    def table(self, alias: str) -> str | None:
        """The table that an alias stands for; None for an alias of somebody else."""
        name = alias.removeprefix(self._prefix)
        return name if alias.startswith(self._prefix) and is_table_name(name) else None


def document_id(pk: str) -> str:
    """The key itself where it can be an _id (not empty, at most 512 bytes), else its hash."""
    return pk if _PLAIN_ID.fullmatch(pk) else f"#{hashlib.sha256(pk.encode()).hexdigest()}"
