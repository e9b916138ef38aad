"""The Flask application: every dialect's blueprint over one set of services."""

from __future__ import annotations

import logging
import secrets
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from gateway import admin, audit, auth, changes, fetch, ha, health, images, observe, plan_api, proxies, push, rest_dsl
from gateway.application import Application
from gateway.directory import Directory
from gateway.gauges import EmbeddingGauges, EngineGauges, Watch, look
from gateway.metrics import Metrics
from gateway.openapi import views as openapi
from gateway.parts import Parts
from gateway.server import Site
from gateway.slow import SlowSearches
from havengate.errors import EngineError, HavengateError
from havengate.recall import RecallAudit
from havengate.services import open_services
from ingest.administration import BACKUPS
from ingest.jobs.worker import Worker
from ingest.kinds import KINDS
from ingest.rebuild.recorder import QueryRecorder, recording
from ingest.table_administration import open_administration
from query_parser.parse import parse_request

if TYPE_CHECKING:
    from pathlib import Path

    from havengate.services import Services
    from havengate.settings import Settings

_LOG = logging.getLogger(__name__)
_ENGINE_AWAY_S = 1.0
_NEW_TABLES_S = 5.0
_RECALL_SHARE = 0.9
_JOB_ENDS_S = 10.0
"""Well within the server's time of grace."""
_PREDECESSOR_S = 10.0
"""A killed server's worker notices within a second and may still be finishing requests."""


def create_app(services: Services, parts: Parts | None = None) -> Application:
    """Raises SettingsError for users that cannot be read."""
    parts = parts or Parts()
    administration = parts.administration
    app = Application("havengate")
    observe.install(app, parts.metrics, parts.slow)
    _add_gauges(services, parts)
    directory = Directory(services.settings.auth)
    auth.install(app, directory, token=parts.token, limited=parts.metrics.limited)
    audit.install(app)
    proxies.install(app, services.settings.server.proxies)
    for dialect in (ha, rest_dsl, fetch, plan_api):
        app.register_blueprint(dialect.blueprint(services))
    app.register_blueprint(health.blueprint(services, lambda: directory.problem))
    app.register_blueprint(push.blueprint(services, administration.history if administration else None))
    if administration is not None:
        app.register_blueprint(admin.blueprint(administration))
        app.register_blueprint(changes.blueprint(administration))
    app.register_blueprint(images.blueprint(services, lambda kept: parts.metrics.thumbnail(kept=kept)))
    app.register_blueprint(openapi.blueprint(administration=administration is not None))
    return app


def _add_gauges(services: Services, parts: Parts) -> None:
    jobs = parts.administration.store.numbers if parts.administration else None
    parts.metrics.add(EngineGauges(Watch(partial(look, services.tables.names, jobs)), parts.metrics))
    parts.metrics.add(EmbeddingGauges(services.embedding))


def open_site(settings: Settings) -> Site:
    """What ``gateway.server.serve`` calls in its worker: opens the data folder, loads models in the background.

    Raises DataFolderBusy, EngineError, SettingsError.
    """
    recorder = QueryRecorder(settings.data_dir, settings.jobs.record_queries)
    services = recording(open_services(settings, wait_s=_PREDECESSOR_S), recorder)
    administration, token = open_administration(services, "server"), secrets.token_urlsafe(32)
    if settings.engine.kind == "embedded":
        _tidy(settings.data_dir / BACKUPS)
    worker = Worker(services, administration.history, administration.store, KINDS) if settings.jobs.in_server else None
    if worker:
        administration = replace(administration, wake=worker.wake)
    ended, metrics = threading.Event(), Metrics()
    # Less than what the cluster's client waits: the end of that is no word on the table.
    limit_s = _RECALL_SHARE * settings.engine.timeout_s
    recall_audit = RecallAudit(services.engine, settings.recall, metrics.recall, limit_s=limit_s)
    services = replace(services, searcher=services.searcher.watched_by(recall_audit.offer))
    slow = SlowSearches(settings.log, services.engine.publish, partial(metrics.dropped, "slow_search"))

    def close() -> None:
        ended.set()
        if worker and not worker.stop(_JOB_ENDS_S):
            _LOG.warning("a job is stopped in the middle of a batch; it goes on behind the one before")
        administration.close()
        slow.close()
        recorder.close()
        recall_audit.close()
        services.close()

    try:
        app = create_app(services, Parts(administration, token, metrics, slow))
    except BaseException:
        close()
        raise
    threading.Thread(target=warm_up, args=(services, ended), name="warm-up", daemon=True).start()
    if worker:
        worker.start()
    return Site(app, close, token, metrics.refused)


def _tidy(backups: Path) -> None:
    """What a killed server was writing or reading; nobody else does while this one holds the folder."""
    for left in (*backups.glob(".*.part"), *backups.glob("restoring-*")):
        left.unlink(missing_ok=True)


def warm_up(services: Services, ended: threading.Event, pause_s: float = _NEW_TABLES_S) -> None:
    """Loads the models of the tables, also of those that others make on the cluster later, until it is ``ended``.

    Without that a new table's model would be loaded by its first search, which a gateway that is not ready never gets.
    """
    seen: set[str] = set()
    told = ""
    try:
        # The grammars take 0.1 s to build.
        parse_request("query=a&&filter=a=1")
        while not ended.is_set():
            try:
                new = services.models() - seen
            except EngineError as error:
                if not seen and error.message != told:
                    told = error.message
                    _LOG.warning("waiting for the engine: %s", told)
                ended.wait(_ENGINE_AWAY_S)
                continue
            seen |= new
            _load(services, new)
            ended.wait(pause_s)
    except Exception:  # noqa: BLE001 - a thread has nobody to raise to
        _LOG.exception("models are not loaded any more; /readyz may keep saying no")


def _load(services: Services, models: set[str]) -> None:
    with suppress(HavengateError):
        services.embedding.warm_up(models)
    for model, reason in services.embedding.readiness(models).failed.items():
        _LOG.error("searches that need model %s will fail: %s", model, reason)
