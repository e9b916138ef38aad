"""components/schemas: of the models that judge requests, of the dataclasses that are handed out, and answers.py's."""

from __future__ import annotations

from typing import Any

from gateway.openapi import answers
from gateway.openapi.parts import Json

_TEMPLATE = "#/components/schemas/{model}"


def schemas(*, administration: bool) -> Json:
    """By name. Raises nothing: two types of one name would be a mistake of this program (pydantic qualifies them)."""
    made = answers.schemas() | _of_types(_types())
    if not administration:
        return made
    made |= answers.admin_schemas() | _of_types(_admin_types())
    # A job's checkpoint is shown to nobody.
    job = made["Job"]["properties"]
    del job["checkpoint"]
    job["rejects_file"] = {"type": ["string", "null"], "description": "a path in the data folder"}
    return made


def _types() -> list[type]:
    from gateway.rest_models import RestSearch
    from havengate.plan_models import PlanModel

    return [RestSearch, PlanModel]


def _admin_types() -> list[type]:
    from engines.contract import Generation
    from gateway import admin_models
    from ingest.history import Change
    from ingest.jobs.model import Job, Reject
    from ingest.restore import Restored

    names = ("NewTable", "NewSettings", "NewJob", "NewBackup", "NewRestore", "NewImageToken")
    return [*(getattr(admin_models, name) for name in names), Generation, Change, Job, Reject, Restored]


def _of_types(types: list[type]) -> Json:
    from pydantic import TypeAdapter

    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = [
        (kind.__name__, "validation", TypeAdapter(kind)) for kind in types
    ]
    _, made = TypeAdapter.json_schemas(adapters, ref_template=_TEMPLATE)
    return dict(made["$defs"])
