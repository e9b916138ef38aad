"""What a rebuild of a table is to do: the difference of schemas, models and settings decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engines.contract import TableSpec
from havengate.errors import SchemaError
from schemas.changes import Made, Step, steps
from schemas.masking import unmasked
from schemas.vendor import read_schema

if TYPE_CHECKING:
    from havengate.services import Services
    from havengate.types import Fingerprint
    from schemas.settings import TableSettings
    from schemas.vendor import VendorSchema


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a table is to become.

    schema    the vendor's JSON, its secrets masked or not; None: the table's own
    settings  changes to the table's settings, as ``key=value``
    source    where the rows are read from; "": from the generation that is current
    """

    schema: Mapping[str, object] | None = None
    settings: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """``former`` is what the table is, ``spec`` what it is to be, both by the table's plain name."""

    former: TableSpec
    spec: TableSpec
    steps: tuple[Step, ...]

    @property
    def refused(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.action == "refused")

    @property
    def nothing(self) -> bool:
        """Whether the rebuilt table would be the one that is there."""
        return all(step.action == "same" for step in self.steps)

    @property
    def embeds(self) -> bool:
        return any(step.action in ("re-embedded", "from the source") for step in self.steps)

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each part that does not stay as it is."""
        return tuple(str(step) for step in self.steps if step.action != "same")

    def require(self) -> None:
        """Raises SchemaError with every reason why rows of the one cannot be rows of the other, each on a line."""
        if self.refused:
            reasons = "\n".join(f"- {step}" for step in self.refused)
            raise SchemaError(f"table {self.spec.name!r} cannot be rebuilt like this:\n{reasons}")


def decide(services: Services, table: str, wanted: Wanted) -> Decision:
    """Compares the table with what it is to become; changes nothing.

    Raises UnknownTable, SchemaError with every broken rule, SettingsError, ModelError.
    """
    former = services.engine.table(table)
    settings = former.settings.with_pairs(wanted.settings)
    vendor = vendor_of(former, wanted.schema)
    spec = services.tables.specify(table, vendor, settings)
    found = steps(made(former), made(spec))
    if not wanted.source:
        spec = replace(spec, fingerprints={**spec.fingerprints, **_kept(former, spec, found)})
    if wanted.source:
        found = tuple(_from_source(step) for step in found)
    return Decision(former, spec, (*found, *_json(former, vendor, found), *_settings(former.settings, settings)))


def vendor_of(former: TableSpec, schema: Mapping[str, object] | None) -> VendorSchema:
    """The new schema with its secrets, or the table's own. Raises SchemaError."""
    if schema is None:
        return read_schema(json.dumps(former.vendor_schema))
    return unmasked(read_schema(json.dumps(schema)), former.vendor_schema)


def made(spec: TableSpec) -> Made:
    spaces = {index: fingerprint.space for index, fingerprint in spec.fingerprints.items()}
    return Made(spec.schema, spaces, spec.settings.store_source)


def _kept(former: TableSpec, spec: TableSpec, found: tuple[Step, ...]) -> dict[str, Fingerprint]:
    """Copied vectors keep what made them."""
    copied = {step.name for step in found if step.part == "vector index" and step.action in ("same", "copied")}
    before = former.schema.vector_fields
    return {
        name: former.fingerprints[before[index.field].name]
        for name, index in spec.schema.vector_indexes.items()
        if name in copied and before[index.field].name in former.fingerprints
    }


def _from_source(step: Step) -> Step:
    """Rows that are read again need not fit; only what is written meanwhile has to find its row."""
    if step.action == "refused" and step.part != "primary key":
        return replace(step, action="from the source")
    return step


def _json(former: TableSpec, vendor: VendorSchema, found: tuple[Step, ...]) -> tuple[Step, ...]:
    differs = vendor.to_json() != former.vendor_schema and all(step.action == "same" for step in found)
    return (
        (Step("schema", former.table, "copied", "it differs in what changes no row and no index"),) if differs else ()
    )


def _settings(old: TableSettings, new: TableSettings) -> tuple[Step, ...]:
    before, after = old.model_dump(), new.model_dump()
    return tuple(
        Step("setting", key, "converted", f"{before[key]!r} becomes {after[key]!r}")
        for key in after
        if before[key] != after[key]
    )
