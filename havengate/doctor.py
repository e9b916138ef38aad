"""Checks of everything that a run needs, each with what to do when it fails."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from havengate.errors import DataFolderBusy, HavengateError, ModelAway

if TYPE_CHECKING:
    from havengate.settings import Settings

_ROOM_GB = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    ok: bool
    detail: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Findings in the order of a start: Python, users, data folder, the engine's cluster, tables, their models."""
    yield Finding("python", True, sys.version.split()[0])
    needed: set[str] = set()
    checks: list[tuple[str, Callable[[Settings], str]]] = [
        ("users", _users),
        ("data folder", _folder),
        *([("cluster", _cluster)] if settings.engine.kind == "opensearch" else []),
        ("tables", lambda given: _tables(given, needed)),
    ]
    for what, check in checks:
        yield _found(what, check, settings)
    if settings.embedding.url:
        yield _found("model server", partial(_model_server, sorted(needed)), settings)
        return
    yield _found("model builtin", _builtin, settings)
    for name in sorted(needed - {"builtin"}):
        yield _found(f"model {name}", partial(_model, name), settings)


def _found(what: str, check: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(what, True, check(settings))
    except (HavengateError, OSError, ImportError) as error:
        return Finding(what, False, str(error))


def _users(settings: Settings) -> str:
    from gateway.users import parse_users

    count = len(parse_users(settings.auth.users))
    return f"{count} users" if count else "none: the gateway listens on loopback only"


def _folder(settings: Settings) -> str:
    folder = settings.data_dir.resolve()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir():
        raise NotADirectoryError(f"{existing} is a file, not a folder; set HAVENGATE_DATA_DIR")
    if not os.access(existing, os.W_OK):
        raise PermissionError(f"{existing} is not writable; set HAVENGATE_DATA_DIR")
    free = shutil.disk_usage(existing).free / 1e9
    if free < _ROOM_GB:
        raise OSError(f"{existing} has {free:.1f} GB free, less than {_ROOM_GB:.0f}")
    return f"{folder}, {free:.0f} GB free"


def _cluster(settings: Settings) -> str:
    from engines.opensearch.engine import OpenSearchEngine

    with OpenSearchEngine.open(settings.engine) as engine:
        return engine.examine()


def _tables(settings: Settings, needed: set[str]) -> str:
    """Adds the models that the tables need."""
    from havengate.services import services

    if settings.engine.kind == "embedded" and not Path(settings.data_dir).exists():
        return "none yet: `havengate demo` makes two"
    try:
        with services(settings) as opened:
            needed |= opened.models()
            rows = {name: opened.engine.stats(name).rows for name in opened.tables.names()}
    except DataFolderBusy as busy:
        return f"not looked at: {busy}"
    return ", ".join(f"{name} ({count} rows)" for name, count in rows.items()) or "none"


def _model_server(needed: list[str], settings: Settings) -> str:
    from embedding.service import EmbeddingService

    service = EmbeddingService(settings.embedding)
    try:
        spaces = [f"{name}: {service.fingerprint(name).space}" for name in needed]
        if not service.ready(needed):
            raise ModelAway(f"the model server at {settings.embedding.url} does not answer, or not as one")
    finally:
        service.close()
    return f"{settings.embedding.url} answers; {'; '.join(spaces) or 'no table needs a model'}"


def _builtin(settings: Settings) -> str:
    from embedding.service import EmbeddingService

    service = EmbeddingService(settings.embedding)
    try:
        vector = service.embed_text("builtin", "a photo")
    finally:
        service.close()
    return f"loads, {len(vector)} dimensions, {service.fingerprint('builtin').space}"


def _model(name: str, settings: Settings) -> str:
    from embedding.catalogue import find_card
    from embedding.weights.store import open_store

    card = find_card(name, settings.embedding)
    space = card.fingerprint().space
    return (
        f"ready, {open_store(settings.embedding.models_dir, card.entry).size() / 1e6:.1f} MB, {card.runtime()}, {space}"
    )
