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

    alias ``<prefix>T``               the current generation of table T
    alias ``<prefix>T.g1.TOKEN``      the address of one generation: what reads and writes name; no two states of a
                                      generation, and no two tables, ever have the same (older tables lack the token)
    alias ``<prefix>T.new-TOKEN``     a generation that was never in use
    alias ``<prefix>T.held.SECONDS``  a generation whose writes are held back, since or as of when (the epoch's seconds)
    index ``<prefix>-t-g1``           a generation's rows
    index ``<prefix>-t-g1-deleted``   which of them were deleted, by its alias ``<prefix>T.g1.deleted``
    index ``<prefix>change-history``  the documents of ``publish`` of one kind, by its alias
                                      ``<prefix>change-history.log``
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    @property
    def every_alias(self) -> str:
        return f"{self._prefix}*"

    def alias(self, table: str) -> str:
        return f"{self._prefix}{table}"

    def new_address(self, table: str, generation: str, token: str) -> str:
        return f"{self._generation(table, generation)}.{token}"

    def address(self, table: str, generation: str, aliases: Iterable[str]) -> str | None:
        """Which of an index's aliases is the generation's address; None for what no version of today made."""
        plain = self._generation(table, generation)
        return next((alias for alias in aliases if alias == plain or alias.startswith(f"{plain}.")), None)

    def build_alias(self, table: str, token: str) -> str:
        return f"{self._prefix}{table}.new-{token}"

    def builds(self, table: str) -> str:
        """A pattern of all aliases that say that a generation was never in use."""
        return self.build_alias(table, "*")

    def held_alias(self, table: str, seconds: int) -> str:
        return f"{self._held(table)}.{seconds}"

    def holds(self, table: str) -> str:
        """A pattern of all aliases that say that writes are held back."""
        return f"{self._held(table)}*"

    def held_since(self, table: str, aliases: Iterable[str]) -> float | None:
        """The latest sign of life of a hold, seconds of the epoch; None where there is none."""
        held = self._held(table)
        told = [alias.removeprefix(held).lstrip(".") for alias in aliases if alias.startswith(held)]
        return max((float(seconds) if seconds.isdecimal() else 0.0 for seconds in told), default=None)

    def deletions_alias(self, table: str, generation: str) -> str:
        return f"{self._generation(table, generation)}.deleted"

    def published(self, kind: str) -> str:
        """The index of documents for people; ``kind`` has a hyphen, so that it is no table's."""
        return f"{self._prefix}{kind}"

    def published_alias(self, kind: str) -> str:
        return f"{self.published(kind)}.log"

    def _generation(self, table: str, generation: str) -> str:
        return f"{self._prefix}{table}.{generation}"

    def _held(self, table: str) -> str:
        return f"{self._prefix}{table}.held"

    def index(self, table: str, number: int | str = FIRST_GENERATION) -> str:
        # Names of indexes are lower case, names of tables are not: T becomes -t, which no table's name can hold.
        lower = re.sub(r"[A-Z]", lambda letter: f"-{letter[0].lower()}", table)
        return f"{self._prefix}{lower}-g{number}"

    def deletions(self, index: str) -> str:
        """The index beside a generation's that says what was deleted."""
        return f"{index}-deleted"

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
