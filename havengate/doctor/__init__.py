"""Checks of everything that a run needs, each with what to do when it fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from havengate.doctor import jobs, machine, places
from havengate.doctor.findings import Finding, found
from havengate.doctor.tables import Tables, extras, pictures
from havengate.preflight import problems

if TYPE_CHECKING:
    from havengate.settings import Settings
    from ingest.administration import Administration

__all__ = ["Finding", "examine"]

_OWN_FINDING = ("HAVENGATE_AUTH__", "HAVENGATE_DATA_DIR", "HAVENGATE_SERVER__TLS_")


def examine(settings: Settings, served: Administration | None = None) -> Iterator[Finding]:
    """Findings in the order of a start.

    ``served`` is the server that holds the data folder: it is asked for what only it can see.
    """
    yield Finding("python", True, sys.version.split()[0])
    wrong = [line for line in problems(settings) if not line.startswith(_OWN_FINDING)]
    yield Finding("settings", not wrong, "; ".join(wrong) or "fit each other")
    yield found("users", machine.users, settings)
    yield found("certificate", machine.certificate, settings)
    yield found("data folder", machine.folder, settings)
    if settings.engine.kind == "opensearch":
        yield found("cluster", places.cluster, settings)
    if settings.blobs.url:
        yield found("blobs", places.blobs, settings)
    tables = Tables(served)
    yield found("tables", tables.look, settings)
    yield found("extras", partial(extras, tables), settings)
    for name, source in tables.sources():
        yield found(f"pictures of {name}", partial(pictures, source, keys_hidden=tables.keys_hidden), settings)
    yield found("jobs", partial(jobs.jobs, served), settings)
    yield from _models(tables.models, settings)


def _models(needed: set[str], settings: Settings) -> Iterator[Finding]:
    if settings.embedding.url:
        yield found("model server", partial(places.model_server, sorted(needed)), settings)
        return
    yield found("model builtin", places.builtin, settings)
    for name in sorted(needed - {"builtin"}):
        yield found(f"model {name}", partial(places.model, name), settings)
