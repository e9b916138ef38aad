"""The client's side of `havengate embed-server`: models as it describes them, vectors as it makes them."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from embedding.readiness import Readiness
from embedding.remote.connections import Connections
from embedding.wire import CONTENT_TYPE, SHAPE_HEADER, shape_text, vectors_from
from havengate.errors import ModelAway, ModelError, Overloaded
from havengate.request_id import REQUEST_ID
from havengate.types import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from embedding.remote.connections import Answer
    from havengate.setting_groups import EmbeddingSettings

READY = "ready"
_PROBE_S = 2.0
_OK, _CONFLICT, _NOT_FOUND = 200, 409, 404
_BUSY = (429, 503)
_NOT_ADMITTED = (401, 403)
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class RemoteCard:
    """What the server said of a model when it was asked last."""

    name: str
    dimension: int
    fingerprint: Fingerprint
    preparation: Mapping[str, Any] | None


class ModelServer:
    """Thread-safe. A server that comes back after it was away is used again; one that comes back with another model
    refuses what was meant for the former one, and is asked anew what it has.

    Every method raises ModelAway where the server does not answer, or not as one, and ModelError for a model that it
    does not have.
    """

    def __init__(self, settings: EmbeddingSettings) -> None:
        self._connections = Connections(settings)
        self._cards: dict[str, RemoteCard] = {}
        self._lock = threading.Lock()

    def card(self, model: str) -> RemoteCard:
        """As remembered; asks the server at first, and after it had another model."""
        card = self._cards.get(model)
        if card is None:
            described = self._describe()
            card = self._cards.get(model)
            if card is None:
                raise self._missing(model, described)
        return card

    def readiness(self, models: Iterable[str]) -> Readiness:
        """Of models as the server has them now."""
        try:
            troubles = self._describe(_PROBE_S)
        except ModelError:
            return Readiness(away=True)
        missing = sorted(set(models) - self._cards.keys())
        waiting = frozenset(model for model in missing if troubles.get(model) == "")
        failed = {model: self._missing(model, troubles).message for model in missing if model not in waiting}
        return Readiness(waiting, failed)

    def embed_texts(self, card: RemoteCard, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """float32 [texts, dimension]. Raises Overloaded."""
        body = json.dumps({"texts": list(texts)}).encode()
        return self._embed("texts", card, body, len(texts), {"Content-Type": "application/json"})

    def embed_pixels(self, card: RemoteCard, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """[pictures, height, width, 3] -> float32 [pictures, dimension]. Raises Overloaded."""
        headers = {"Content-Type": CONTENT_TYPE, SHAPE_HEADER: shape_text(pixels)}
        return self._embed("pixels", card, pixels.tobytes(), len(pixels), headers)

    def close(self) -> None:
        self._connections.close()

    def _embed(
        self, what: str, card: RemoteCard, body: bytes, rows: int, headers: Mapping[str, str]
    ) -> npt.NDArray[np.float32]:
        # The server may have begun anew with another model since the card was written.
        query = urlencode({"model": card.name, "space": card.fingerprint.space})
        request_id = REQUEST_ID.get()
        named = {**headers, "X-Request-ID": request_id} if request_id else headers
        answer = self._connections.send("POST", f"/v1/embed/{what}?{query}", body, headers=named)
        if answer.status in (_CONFLICT, _NOT_FOUND):
            self._forget(card)
        self._check(answer)
        try:
            vectors = vectors_from(answer.body, answer.headers.get(SHAPE_HEADER, ""))
        except ValueError as error:
            raise self._strange() from error
        if vectors.shape != (rows, card.dimension):
            raise self._strange()
        return vectors

    def _describe(self, timeout_s: float | None = None) -> dict[str, str]:
        """By model why it cannot be used, or nothing; remembers the cards of those that can."""
        answer = self._connections.send("GET", "/v1/models", headers={}, timeout_s=timeout_s)
        self._check(answer)
        try:
            described = json.loads(answer.body)["models"]
            troubles = {model["name"]: model.get("message", "") for model in described}
            cards = {model["name"]: _card(model) for model in described if model["state"] == READY}
        except (ValueError, KeyError, TypeError) as error:
            raise self._strange() from error
        with self._lock:
            self._cards = cards
        return troubles

    def _missing(self, model: str, troubles: Mapping[str, str]) -> ModelError:
        at = f"the model server at {self._connections.url}"
        if model not in troubles:
            return ModelError(f"{at} has no model {model!r}; it has: {', '.join(troubles)}")
        return ModelAway(
            f"{at} cannot load {model!r}: {troubles[model]}"
            if troubles[model]
            else f"{at} is still loading model {model!r}"
        )

    def _forget(self, card: RemoteCard) -> None:
        with self._lock:
            self._cards = {name: other for name, other in self._cards.items() if other is not card}

    def _check(self, answer: Answer) -> None:
        """Raises what a status other than 200 means."""
        if answer.status == _OK:
            return
        url, says = self._connections.url, _message(answer)
        retry = answer.headers.get("Retry-After", "")
        if answer.status in _BUSY and retry.isdecimal():
            raise Overloaded(f"the model server at {url}: {says}", retry_after_s=int(retry))
        if answer.status in _NOT_ADMITTED:
            raise ModelAway(
                f"the model server at {url} refuses this user ({answer.status}): set HAVENGATE_EMBEDDING__USER and "
                "HAVENGATE_EMBEDDING__PASSWORD"
            )
        if answer.status == _CONFLICT or answer.status >= _SERVER_ERROR:
            raise ModelAway(f"the model server at {url}: {says}")
        raise ModelError(f"the model server at {url}: {says}")

    def _strange(self) -> ModelAway:
        return ModelAway(f"{self._connections.url} does not answer as a `havengate embed-server` of this version")


def _card(model: Mapping[str, Any]) -> RemoteCard:
    mark = model["fingerprint"]
    space = Fingerprint(mark["space"], mark["numerics"])
    return RemoteCard(model["name"], int(model["dimension"]), space, model["preparation"])


def _message(answer: Answer) -> str:
    try:
        return str(json.loads(answer.body)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP status {answer.status}"
