"""TLS of the gateway's own server: the pair of files that is set, judged before it is used, read again when renewed."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gateway.renewed import Renewed
from havengate.errors import SettingsError

if TYPE_CHECKING:
    import socket

    from havengate.setting_groups import ServerSettings

_LOG = logging.getLogger(__name__)
_CERT, _KEY = "HAVENGATE_SERVER__TLS_CERT", "HAVENGATE_SERVER__TLS_KEY"
_PLAIN_HTTP = frozenset({"HTTP_REQUEST", "HTTPS_PROXY_REQUEST"})


class PlainHttp(Exception):
    """The client speaks HTTP without TLS."""


class Certificates:
    """The certificate that is served, at most a second older than its files. Any thread.

    Renewed files that do not fit each other, or are half written, leave the former certificate in use.
    """

    def __init__(self, cert: Path, key: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises SettingsError naming the file."""
        self.cert = cert.absolute()
        pair = self.cert, key.absolute()
        self._context = Renewed(pair, partial(load, *pair), _LOG, "the certificate stays as it was", clock)

    def context(self) -> ssl.SSLContext:
        return self._context.now()


def open_certificates(settings: ServerSettings) -> Certificates | None:
    """None where http is served. Raises SettingsError."""
    if settings.tls_cert is None and settings.tls_key is None:
        return None
    if settings.tls_cert is None or settings.tls_key is None:
        missing = _CERT if settings.tls_cert is None else _KEY
        raise SettingsError(f"{missing} is missing: https needs the certificate and its key")
    return Certificates(settings.tls_cert, settings.tls_key)


def load(cert: Path, key: Path) -> ssl.SSLContext:
    """A server's context for a pair that clients can use now.

    Raises SettingsError for files that cannot be read, do not belong together, are out of date, or need a password.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    for variable, path in ((_CERT, cert), (_KEY, key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{variable}: {path}: {error.strerror}") from error

    def encrypted() -> NoReturn:
        raise SettingsError(f"{_KEY}: {key} needs a password; a server can be given none")

    try:
        context.load_cert_chain(cert, key, password=encrypted)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SettingsError(f"{_KEY}: {key} is not the key of the certificate in {cert}") from error
        message = f"{_CERT}, {_KEY}: {cert} or {key} is no PEM file that can be used: {_why(error)}"
        raise SettingsError(message) from error
    _judge(context, cert)
    return context


def expires(cert: Path, key: Path) -> float:
    """Seconds of the epoch until which the certificate is valid. Raises as ``load``."""
    return ssl.cert_time_to_seconds(str(_judge(load(cert, key), cert)["notAfter"]))


def secured(connection: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """The server's side of a connection, before its handshake; ``connection`` is not to be used any more."""
    return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)


def shake_hands(connection: ssl.SSLSocket, patience_s: float) -> None:
    """Raises PlainHttp, OSError (TimeoutError where all of it took longer than ``patience_s``)."""
    connection.settimeout(patience_s)
    try:
        connection.do_handshake()
    except ssl.SSLError as error:
        if error.reason in _PLAIN_HTTP:
            raise PlainHttp from error
        raise


def leaf(cert: Path) -> str:
    """The first certificate of a PEM file, which is the server's own. Raises SettingsError."""
    text = cert.read_text(errors="replace")
    begin, end = text.find(ssl.PEM_HEADER), text.find(ssl.PEM_FOOTER)
    if not 0 <= begin < end:
        raise SettingsError(f"{_CERT}: {cert} has no certificate")
    return text[begin : end + len(ssl.PEM_FOOTER)]


def _judge(context: ssl.SSLContext, cert: Path) -> Mapping[str, object]:
    """Shakes hands with itself: a client that trusts this very certificate says what is wrong with it, or what is in
    it.
    """
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.check_hostname = False
    client_side.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client_side.load_verify_locations(cadata=leaf(cert))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    client = client_side.wrap_bio(to_client, to_server)
    try:
        while not (_step(client) & _step(server)):
            pass
    except ssl.SSLCertVerificationError as error:
        raise SettingsError(f"{_CERT}: {cert}: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise SettingsError(f"{_CERT}: {cert}: clients cannot use it: {_why(error)}") from error
    return client.getpeercert() or {}


def _step(side: ssl.SSLObject) -> bool:
    """Whether this side is done."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _why(error: ssl.SSLError) -> str:
    return (error.reason or "unknown format").replace("_", " ").lower()
