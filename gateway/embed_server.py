"""`havengate embed-server`: models behind HTTP, for gateways on other machines (HAVENGATE_EMBEDDING__URL).

The protocol belongs to this version and is no dialect:
    GET  /v1/models                              what is served: names, dimensions, fingerprints, states
    POST /v1/embed/texts?model=M&space=S         {"texts": [...]}
    POST /v1/embed/pixels?model=M&space=S        uint8 [n, height, width, 3], its shape in a header
Vectors are float32 [n, dimension], little-endian, their shape in a header. ``space`` is the fingerprint that the
gateway counts on: 409 where the model has another one. A full queue is 429 with Retry-After, a model that is being
loaded 503.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest, Conflict, NotFound

from embedding.remote.server import READY
from embedding.wire import CONTENT_TYPE, MOST_ITEMS, SHAPE_HEADER, pixels_from, shape_text, vectors_to
from gateway import audit, auth, health, observe, proxies
from gateway.application import Application
from gateway.auth import needs
from gateway.bodies import json_object, read_body
from gateway.directory import Directory
from gateway.errors import json_response, log_if_ours, status_body
from gateway.gauges import EmbeddingGauges
from gateway.metrics import Metrics
from gateway.server import Site, serve
from havengate.errors import HavengateError, ModelAway, excerpt

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from embedding.service import EmbeddingService
    from havengate.setting_groups import LimitSettings
    from havengate.settings import Settings

_LOG = logging.getLogger(__name__)
RECORD = "embed-server.json"
_LOADING_S = 2


@dataclass(frozen=True, slots=True)
class Served:
    """The models of one server."""

    embedding: EmbeddingService
    names: tuple[str, ...]

    def models(self) -> set[str]:
        return set(self.names)

    def load(self) -> None:
        """All of them, whatever becomes of one."""
        try:
            self.embedding.warm_up(self.names)
        except HavengateError:
            for name, reason in self.embedding.readiness(self.names).failed.items():
                _LOG.error("model %s cannot be loaded: %s", name, reason)

    def describe(self, name: str) -> dict[str, Any]:
        readiness = self.embedding.readiness([name])
        if readiness.failed:
            return {"name": name, "state": "failed", "message": readiness.failed[name]}
        if readiness.waiting:
            return {"name": name, "state": "loading"}
        mark = self.embedding.fingerprint(name)
        return {
            "name": name,
            "state": READY,
            "dimension": self.embedding.dimension(name),
            "fingerprint": {"space": mark.space, "numerics": mark.numerics},
            "preparation": self.embedding.preparation(name),
        }


def serve_models(settings: Settings, models: tuple[str, ...], host: str, port: int) -> None:
    """Serves until a signal ends it. Raises ModelError for a name that the catalogue does not have, SettingsError."""
    from embedding.catalogue import find_card

    here = settings.embedding.model_copy(update={"url": ""})
    for name in models:
        find_card(name, here)
    # What is too much is for the models' queues to say, which have an answer for it; a slot's queue only grows.
    server = settings.server.model_copy(update={"threads": settings.server.connections})
    settings = settings.model_copy(update={"embedding": here, "server": server})
    serve(settings, host, port, app_factory=lambda given: open_site(given, models), record=RECORD)


def open_site(settings: Settings, models: tuple[str, ...]) -> Site:
    """What the server's worker serves; loads the models in the background."""
    from embedding.service import EmbeddingService

    served = Served(EmbeddingService(settings.embedding), models)
    app = create_app(served, settings)
    threading.Thread(target=served.load, name="load-models", daemon=True).start()
    return Site(app, served.embedding.close)


def create_app(served: Served, settings: Settings) -> Application:
    """Raises SettingsError for users that cannot be read."""
    app, metrics = Application("havengate-embed"), Metrics()
    observe.install(app, metrics)
    metrics.add(EmbeddingGauges(served.embedding))
    directory = Directory(settings.auth)
    auth.install(app, directory, limited=metrics.limited)
    audit.install(app)
    proxies.install(app, settings.server.proxies)
    app.register_blueprint(blueprint(served, settings.limits))
    app.register_blueprint(health.blueprint(served, lambda: directory.problem))
    return app


def blueprint(served: Served, limits: LimitSettings) -> Blueprint:
    views = Blueprint("embed", __name__, url_prefix="/v1")
    embedding = served.embedding

    @views.get("/models")
    @needs("read")
    def models() -> Response:
        return json_response({"models": [served.describe(name) for name in served.names]})

    @views.post("/embed/texts")
    @needs("read")
    def texts() -> Response:
        return _answer(served, lambda name: embedding.embed_texts(name, _texts(limits)))

    @views.post("/embed/pixels")
    @needs("read")
    def pixels() -> Response:
        return _answer(served, lambda name: embedding.embed_pixels(name, _pixels(limits)))

    @views.errorhandler(HavengateError)
    def refused(error: HavengateError) -> Response:
        log_if_ours(error)
        return json_response(status_body(error.http_status, error.message), error.http_status)

    return views


def _answer(served: Served, embed: Callable[[str], npt.NDArray[np.float32]]) -> Response:
    name = request.args.get("model", "")
    if name not in served.names:
        raise NotFound(f"no model {excerpt(repr(name))} here; there are: {', '.join(served.names)}")
    readiness = served.embedding.readiness([name])
    if readiness.failed:
        raise ModelAway(f"model {name!r} could not be loaded: {readiness.failed[name]}")
    if readiness.waiting:
        raise ModelAway(f"model {name!r} is being loaded", retry_after_s=_LOADING_S)
    space = served.embedding.fingerprint(name).space
    if request.args.get("space", space) != space:
        raise Conflict(f"model {name!r} is another one now: {space}; ask again")
    vectors = embed(name)
    return Response(vectors_to(vectors), headers={SHAPE_HEADER: shape_text(vectors)}, content_type=CONTENT_TYPE)


def _texts(limits: LimitSettings) -> list[str]:
    texts = json_object(request, limits.body).get("texts")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadRequest('the body is {"texts": [...]}, a list of strings')
    if not 0 < len(texts) <= MOST_ITEMS:
        raise BadRequest(f"{len(texts)} texts; 1 to {MOST_ITEMS} are taken at once")
    if max(map(len, texts)) > limits.text_chars:
        raise BadRequest(f"a text has more than {limits.text_chars} characters")
    return texts


def _pixels(limits: LimitSettings) -> npt.NDArray[np.uint8]:
    try:
        return pixels_from(read_body(request, limits.body), request.headers.get(SHAPE_HEADER, ""))
    except ValueError as error:
        raise BadRequest(str(error)) from error
