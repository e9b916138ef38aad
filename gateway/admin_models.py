"""What /admin takes: bodies and query strings, judged before anything is done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel

from ingest.rebuild.decide import Wanted
from ingest.rebuild.request import Rebuild
from schemas.vendor import VendorSchema, read_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingest.table_administration import LocalAdministration

Json = dict[str, Any]
_MOST_LISTED = 10_000
MOST_ID = 2**63 - 1
"""SQLite's."""
_NAME = Field(min_length=1, max_length=64)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewTable(_Body):
    """POST /admin/tables."""

    name: str = _NAME
    schema_: dict[str, JsonValue] = Field(alias="schema", repr=False)
    settings: dict[str, str | bool] = {}

    @property
    def vendor(self) -> VendorSchema:
        """Raises SchemaError."""
        return read_schema(json.dumps(self.schema_))


class NewSettings(_Body):
    """PATCH /admin/tables/{table}."""

    settings: dict[str, str | bool]


class NewImageToken(_Body):
    """POST /admin/tables/{table}/image-token."""

    days: int = 365


class NewIngest(_Body):
    """POST /admin/jobs."""

    kind: Literal["ingest"]
    table: str = _NAME
    source: str = Field(min_length=1)
    max_rejects: int | None = Field(None, ge=0)
    restart: bool = False

    def begin(self, administration: LocalAdministration) -> Json:
        return administration.ingest(self.table, self.source, max_rejects=self.max_rejects, restart=self.restart)


class NewRebuild(_Body):
    """POST /admin/jobs, and POST /admin/plans for what it would do."""

    kind: Literal["rebuild"]
    table: str = _NAME
    schema_: dict[str, JsonValue] | None = Field(None, alias="schema", repr=False)
    settings: dict[str, str | bool] = {}
    source: str = ""
    force: bool = False
    max_rejects: int | None = Field(0, ge=0)
    min_overlap: float | None = Field(None, ge=0, le=1)

    @property
    def rebuild(self) -> Rebuild:
        wanted = Wanted(self.schema_, pairs(self.settings), self.source)
        return Rebuild(wanted, force=self.force, max_rejects=self.max_rejects, min_overlap=self.min_overlap)

    def begin(self, administration: LocalAdministration) -> Json:
        return administration.rebuild(self.table, self.rebuild)


class NewRollback(_Body):
    """POST /admin/jobs."""

    kind: Literal["rollback"]
    table: str = _NAME
    generation: str | None = None
    strict: bool = False

    def begin(self, administration: LocalAdministration) -> Json:
        return administration.rollback(self.table, self.generation, strict=self.strict)


class NewJob(RootModel[Annotated[NewIngest | NewRebuild | NewRollback, Field(discriminator="kind")]]):
    model_config = ConfigDict(hide_input_in_errors=True)


_BACKUP = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}$")
"""A file's name in the folder ``backups`` of the data folder: nobody is let near other paths over HTTP."""


class NewBackup(_Body):
    """POST /admin/tables/{table}/backup."""

    file: str = _BACKUP


class NewRestore(_Body):
    """POST /admin/restore."""

    file: str = _BACKUP
    table: str | None = None


class JobsQuery(_Body):
    table: str | None = None
    state: Literal["queued", "running", "paused", "failed", "cancelled", "done"] | None = None
    limit: int = Field(100, ge=1, le=_MOST_LISTED)


class RejectsQuery(_Body):
    after: int = Field(0, ge=0, le=MOST_ID)
    limit: int = Field(1000, ge=1, le=_MOST_LISTED)


def pairs(settings: Mapping[str, str | bool]) -> tuple[str, ...]:
    return tuple(f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in settings.items())
