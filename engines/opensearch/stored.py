"""One generation of a table, read from what the cluster says of its index."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engines.codec import decode_spec
from engines.opensearch.mapping import META, meta

if TYPE_CHECKING:
    from engines.contract import TableSpec
    from engines.opensearch.names import Names

_BEAT = "havengate_beat"
LIFELESS_S = 60.0
"""A change that gave no sign of life for so long has ended; clocks of machines may differ by less than that."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the index of a generation says.

    address   the alias that reads and writes of this generation name: no index comes to be under it by mistake
    current   whether the table's alias leads here
    finished  whether the generation was ever the current one
    held      whether a change holds writes back; ``blocked``: whether they are held back, by whomever
    beat      when a change that builds or holds it last gave a sign of life, seconds of the epoch
    """

    index: str
    generation: str
    address: str
    spec: TableSpec
    current: bool
    finished: bool
    held: bool
    blocked: bool
    beat: float

    @classmethod
    def read(cls, names: Names, table: str, index: str, entry: Mapping[str, Any]) -> Stored | None:
        """None for an index that is no generation of the table. Raises EngineError for a damaged specification."""
        generation = names.generation(table, index)
        told = entry["mappings"].get("_meta", {})
        if generation is None or META not in told:
            return None
        aliases = entry["aliases"]
        address = names.address(table, generation, aliases)
        return cls(
            index=index,
            generation=generation,
            address=address or names.generation_alias(table, generation),
            spec=decode_spec(told[META], f"_meta of index {index}"),
            current=names.alias(table) in aliases,
            finished=address is not None,
            held=names.held_alias(table) in aliases,
            blocked=entry["settings"].get("index.blocks.write") == "true",
            beat=float(told.get(_BEAT, 0)),
        )

    @property
    def number(self) -> int:
        return int(self.generation.removeprefix("g"))

    @property
    def alive(self) -> bool:
        """Whether somebody is at work on it."""
        return (self.held or not self.finished) and time.time() - self.beat < LIFELESS_S


def beating(spec: TableSpec) -> dict[str, Any]:
    """The _meta of a generation that is being worked on."""
    return {**meta(spec), _BEAT: time.time()}
