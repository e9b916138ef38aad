"""`schema check`: the vendor's rules for a table schema, and what of it has no effect in this version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from schemas.field_rules import FIELD_CHECKS
from schemas.findings import Finding
from schemas.index_rules import INDEX_CHECKS
from schemas.reading import Reading, take_apart
from schemas.unused_rules import UNUSED_CHECKS

if TYPE_CHECKING:
    from schemas.vendor import VendorSchema

__all__ = ["Finding", "check"]

Check = Callable[[Reading], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (*FIELD_CHECKS, *INDEX_CHECKS, *UNUSED_CHECKS)


def check(vendor: VendorSchema) -> tuple[Finding, ...]:
    """Everything there is to say about a schema: errors first, each in the schema's order."""
    reading = take_apart(vendor)
    findings = (finding for rule in CHECKS for finding in rule(reading))
    return tuple(sorted(findings, key=lambda finding: finding.level))
