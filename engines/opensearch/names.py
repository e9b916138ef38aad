"""What tables, their generations and rows are called in the cluster."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from engines.checks import is_table_name

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST_GENERATION = 1
_PLAIN_ID = re.compile(r"[A-Za-z0-9.-]{1,200}", re.ASCII)


class Names:
    """Everything is under one prefix.

    alias ``<prefix>T``            the current generation of table T
    alias ``<prefix>T.g1``         one finished generation: what calls address; the first one of a table has
                                   ``.TOKEN`` behind it, which no table made later under the name has again
    alias ``<prefix>T.new-TOKEN``  a generation that is being built
    alias ``<prefix>T.held``       the generation to which writes are held back
    index ``<prefix>-t-g1``        a generation's rows
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    @property
    def every_alias(self) -> str:
        return f"{self._prefix}*"

    def alias(self, table: str) -> str:
        return f"{self._prefix}{table}"

    def generation_alias(self, table: str, generation: str) -> str:
        return f"{self._prefix}{table}.{generation}"

    def first_alias(self, table: str, token: str) -> str:
        return f"{self.generation_alias(table, f'g{FIRST_GENERATION}')}.{token}"

    def address(self, table: str, generation: str, aliases: Iterable[str]) -> str | None:
        """Which of an index's aliases is the generation's; None for one that was never finished."""
        plain = self.generation_alias(table, generation)
        return next((alias for alias in aliases if alias == plain or alias.startswith(f"{plain}.")), None)

    def build_alias(self, table: str, token: str) -> str:
        return f"{self._prefix}{table}.new-{token}"

    def held_alias(self, table: str) -> str:
        return f"{self._prefix}{table}.held"

    def index(self, table: str, number: int | str = FIRST_GENERATION) -> str:
        # Names of indexes are lower case, names of tables are not: T becomes -t, which no table's name can hold.
        lower = re.sub(r"[A-Z]", lambda letter: f"-{letter[0].lower()}", table)
        return f"{self._prefix}{lower}-g{number}"

    def generation(self, table: str, index: str) -> str | None:
        """The generation that an index holds; None for an index of another table."""
        number = index.removeprefix(self.index(table, ""))
        return f"g{number}" if number != index and number.isascii() and number.isdecimal() else None

    def table(self, alias: str) -> str | None:
        """The table that an alias stands for; None for an alias of somebody else."""
        name = alias.removeprefix(self._prefix)
        return name if alias.startswith(self._prefix) and is_table_name(name) else None


def document_id(pk: str) -> str:
    """The key itself where it can be an _id (not empty, at most 512 bytes), else its hash."""
    return pk if _PLAIN_ID.fullmatch(pk) else f"#{hashlib.sha256(pk.encode()).hexdigest()}"
