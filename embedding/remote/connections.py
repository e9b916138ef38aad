"""HTTP to one server over connections that are kept: no call hangs, none trips over a server's restart."""

from __future__ import annotations

import ssl
import threading
from base64 import b64encode
from dataclasses import dataclass
from http.client import HTTP_PORT, HTTPS_PORT, HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from havengate.errors import ModelAway, ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from havengate.setting_groups import EmbeddingSettings

_CONNECT_S = 3.0
_MOST_IDLE = 32


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]
    wait_s: float


class Connections:
    """Thread-safe; as many connections as there are calls at once."""

    def __init__(self, settings: EmbeddingSettings) -> None:
        url = urlsplit(settings.url)
        self.url = settings.url
        self._tls = ssl.create_default_context() if url.scheme == "https" else None
        # Named always: http.client would read the end of a bare IPv6 address as one.
        self._port = url.port or (HTTP_PORT if self._tls is None else HTTPS_PORT)
        self._host, self._prefix = url.hostname or "", url.path.rstrip("/")
        self._timeout_s = settings.timeout_s
        self._headers = _credentials(settings)
        self._idle: list[HTTPConnection] = []
        self._lock = threading.Lock()
        self._closed = False

    def send(
        self, method: str, path: str, body: bytes = b"", *, headers: Mapping[str, str], timeout_s: float | None = None
    ) -> Answer:
        """The answer, whatever its status. Raises ModelAway where there is none, ModelError once closed."""
        wait_s = self._timeout_s if timeout_s is None else timeout_s
        call = _Call(method, self._prefix + path, body, {**self._headers, **headers}, wait_s)
        kept = self._take()
        if kept is not None:
            try:
                return self._exchange(kept, call)
            except TimeoutError as error:
                raise self._away(error) from error
            except (OSError, HTTPException):
                # The server has closed it meanwhile, or began anew; embedding twice does no harm.
                pass
        try:
            return self._exchange(self._connect(wait_s), call)
        except (OSError, HTTPException) as error:
            raise self._away(error) from error

    def close(self) -> None:
        """Ends idle connections; those in use end with their call."""
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for connection in idle:
            connection.close()

    def _exchange(self, connection: HTTPConnection, call: _Call) -> Answer:
        try:
            if connection.sock is not None:
                connection.sock.settimeout(call.wait_s)
            connection.request(call.method, call.path, call.body or None, dict(call.headers))
            response = connection.getresponse()
            answer = Answer(response.status, dict(response.headers.items()), response.read())
        except BaseException:
            connection.close()
            raise
        self._put(connection)
        return answer

    def _connect(self, wait_s: float) -> HTTPConnection:
        first_s = min(_CONNECT_S, wait_s)
        if self._tls is None:
            connection = HTTPConnection(self._host, self._port, timeout=first_s)
        else:
            connection = HTTPSConnection(self._host, self._port, timeout=first_s, context=self._tls)
        connection.connect()
        return connection

    def _take(self) -> HTTPConnection | None:
        with self._lock:
            if self._closed:
                raise ModelError("the embedding service is closed")
            # The last used one is the least likely to have been closed.
            return self._idle.pop() if self._idle else None

    def _put(self, connection: HTTPConnection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _MOST_IDLE and connection.sock is not None:
                self._idle.append(connection)
                return
        connection.close()

    def _away(self, error: Exception) -> ModelAway:
        says = str(error) or type(error).__name__
        return ModelAway(f"the model server at {self.url} does not answer: {says}")


def _credentials(settings: EmbeddingSettings) -> dict[str, str]:
    if not settings.user:
        return {}
    pair = f"{settings.user}:{settings.password.get_secret_value()}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
