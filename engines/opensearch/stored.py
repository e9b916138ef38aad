"""One generation of a table, read from what the cluster says of its index."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engines.codec import decode_spec
from engines.opensearch.mapping import META

if TYPE_CHECKING:
    from engines.contract import TableSpec
    from engines.opensearch.names import Names

LIFELESS_S = 60.0
"""A hold that gave no sign of life for so long has ended; clocks of machines may differ by less than that."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the index of a generation says.

    address    the alias that reads and writes of this generation name; empty for what a change of an older version left
    shards     number of its primary shards
    current    whether the table's alias leads here
    building   whether the generation was never the current one
    held_since when whoever holds writes back last gave a sign of life, seconds of the epoch; None: nobody does
    blocked    whether the index takes no writes, whoever's doing that is
    """

    index: str
    generation: str
    address: str
    shards: int
    spec: TableSpec
    current: bool
    building: bool
    held_since: float | None
    blocked: bool

    @classmethod
    def read(cls, names: Names, table: str, index: str, entry: Mapping[str, Any]) -> Stored | None:
        """None for an index that is no generation of the table. Raises EngineError for a damaged specification."""
        generation = names.generation(table, index)
        told = entry["mappings"].get("_meta", {})
        if generation is None or META not in told:
            return None
        aliases = entry["aliases"]
        spec = decode_spec(told[META], f"_meta of index {index}")
        return cls(
            index=index,
            generation=generation,
            address=names.address(table, generation, aliases) or "",
            shards=int(entry["settings"]["index.number_of_shards"]),
            spec=replace(spec, name=table, generation=generation),
            current=names.alias(table) in aliases,
            building=any(alias.startswith(names.build_alias(table, "")) for alias in aliases),
            held_since=names.held_since(table, aliases),
            blocked=entry["settings"].get("index.blocks.write") == "true",
        )

    @property
    def number(self) -> int:
        return int(self.generation.removeprefix("g"))

    @property
    def held(self) -> bool:
        return self.held_since is not None

    @property
    def alive(self) -> bool:
        """Whether somebody is holding it at this moment."""
        return self.held_since is not None and time.time() - self.held_since < LIFELESS_S
