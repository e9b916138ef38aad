"""The gateway's own server: gunicorn with one worker process, which alone holds the data folder."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from gateway.directory import load_users
from gateway.tls import Certificates, open_certificates
from gateway.worker import GatewayWorker
from havengate import errors
from havengate.errors import EngineError, HavengateError, SettingsError
from havengate.log import configure
from havengate.memory import give_back_large_blocks

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from havengate.settings import Settings

_KEEPALIVE_S = 75
_GRACE_S = 20
_BACKLOG = 256
_MOST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Site:
    """What a server serves, and what to do when it ends; ``token`` goes into its record for the owner's commands.

    ``refused`` is told the status of each request that never came to ``app``.
    """

    app: WSGIApplication
    close: Callable[[], None] = lambda: None
    token: str = ""
    refused: Callable[[int], None] = lambda _status: None


AppFactory = Callable[["Settings"], Site]


def serve(
    settings: Settings,
    host: str,
    port: int,
    *,
    app_factory: AppFactory | None = None,
    record: str = "server.json",
) -> None:
    """Serves until a signal ends it; port 0 takes a free one.

    ``app_factory`` (gateway.app.open_site) is called in the worker process, so that the worker and nobody else
    opens the data folder; what it raises is raised here. Prints one line with the URL, and writes it to the file
    ``record`` of the data folder for as long as it serves. Raises SettingsError for an address beyond loopback
    or behind proxies without users, and for a certificate that cannot be used.
    """
    configure(settings.log)
    give_back_large_blocks()
    certificates = open_certificates(settings.server)
    listener = _listen(settings, host, port)
    application = _Application(settings, host, listener, app_factory or _open_site, record, certificates=certificates)
    master = os.getpid()
    try:
        _Arbiter(application).run()
    except SystemExit as end:
        if os.getpid() != master:  # gunicorn's worker was forked in run() and ends here, too
            raise
        application.raise_boot_error()
        if end.code:
            raise EngineError(f"the server ended with code {end.code}") from end


class _Arbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's master without the signals that would make a second worker or a second master."""

    SIGNALS = tuple(getattr(signal, f"SIG{name}") for name in ("HUP", "QUIT", "INT", "TERM", "TTIN", "TTOU"))

    def init_signals(self) -> None:
        hung_up_on = signal.getsignal(signal.SIGHUP)
        super().init_signals()
        if hung_up_on is signal.SIG_IGN:  # nohup
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def handle_hup(self) -> NoReturn:
        raise StopIteration

    def handle_ttin(self) -> None:
        self.log.warning("a data folder has one worker; SIGTTIN and SIGTTOU change nothing")

    handle_ttou = handle_ttin


class ServerLog(Logger):  # type: ignore[misc]
    """gunicorn's own lines go where all others do (havengate.log)."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True


class _Application(BaseApplication):  # type: ignore[misc]
    def __init__(
        self,
        settings: Settings,
        host: str,
        listener: socket.socket,
        app_factory: AppFactory,
        record: str,
        *,
        certificates: Certificates | None,
    ) -> None:
        self.settings = settings
        self.certificates = certificates
        self._record = settings.data_dir / record
        self._app_factory = app_factory
        self._site: Site | None = None
        scheme, port = "https" if certificates else "http", listener.getsockname()[1]
        self._url = f"{scheme}://{_in_url(host)}:{port}"
        self._local_url = f"{scheme}://{_in_url(_reachable(host))}:{port}"
        # What stops the worker from starting comes back to the process that the user started.
        self._errors = os.pipe()
        self._fd = listener.detach()
        super().__init__()

    def load_config(self) -> None:
        config: dict[str, Any] = {
            "bind": f"fd://{self._fd}",
            "workers": 1,
            "worker_class": GatewayWorker,
            "threads": self.settings.server.connections,
            "timeout": self.settings.server.timeout_s,
            "graceful_timeout": _GRACE_S,
            "backlog": _BACKLOG,
            "keepalive": _KEEPALIVE_S,
            "limit_request_line": 0,
            "http_parser": "python",
            "control_socket_disable": True,
            "forwarder_headers": "",
            "forwarded_allow_ips": "",
            "logger_class": ServerLog,
            "worker_exit": self._end,
        }
        if self.certificates:
            # gunicorn makes no use of it but to know that this is https: the worker shakes hands by itself.
            config["certfile"] = str(self.certificates.cert)
        for name, value in config.items():
            self.cfg.set(name, value)

    def boot(self, worker: GatewayWorker) -> WSGIApplication:
        """Called in the worker: opens the site and says where it is."""
        try:
            self._site = self._app_factory(self.settings)
            _write_server_file(self._record, self._local_url, self._site.token, self.certificates)
        except Exception as error:  # noqa: BLE001 - a worker that cannot start would be started for ever
            self._give_up(worker, error)
        if worker.age == 1:
            print(f"havengate serves {self._url}", flush=True)  # noqa: T201 - a server's one line
        return self._site.app

    def refused(self, status: int) -> None:
        """Called in the worker for a request that is none."""
        if self._site is not None:
            self._site.refused(status)

    def raise_boot_error(self) -> None:
        """Raises what kept the worker from starting, if anything did."""
        reading, writing = self._errors
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as pipe:
            line = pipe.readline()
        if line:
            kind, message = json.loads(line)
            raise getattr(errors, kind, EngineError)(message)

    def _give_up(self, worker: GatewayWorker, error: Exception) -> NoReturn:
        if not isinstance(error, HavengateError):
            worker.log.error("the worker could not start", exc_info=error)
        known = isinstance(error, HavengateError)
        message = str(error) if known else f"the worker could not start: {type(error).__name__}: {error}"
        # Well below what a pipe takes without anybody reading.
        line = json.dumps([type(error).__name__ if known else "EngineError", message[:1000]])
        os.write(self._errors[1], f"{line}\n".encode())
        os.kill(os.getppid(), signal.SIGTERM)
        sys.exit(0)

    def _end(self, _arbiter: object, _worker: object) -> None:
        """Called in the worker when it ends; in the master, too, where there is nothing to close."""
        if self._site is None:
            return
        with suppress(FileNotFoundError):
            self._record.unlink()
        self._site.close()


def _open_site(settings: Settings) -> Site:
    from gateway.app import open_site

    return open_site(settings)


def _listen(settings: Settings, host: str, port: int) -> socket.socket:
    if not 0 <= port <= _MOST_PORT:
        raise SettingsError(f"port {port} is outside 0 to {_MOST_PORT}")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise SettingsError(f"no address {host!r} to serve on: {error}") from error
    _require_users(settings, host, str(address[0]))
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # A port by name stays this socket's when a worker that ends shuts it and the next one listens again.
        listener.bind((address[0], port or _free_port(family, address), *address[2:]))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise SettingsError(f"cannot serve on {host} port {port}: {error}") from error
    return listener


def _require_users(settings: Settings, host: str, address: str) -> None:
    """Raises SettingsError where other machines could come in without a password."""
    reachable = not ipaddress.ip_address(address.partition("%")[0]).is_loopback
    if not load_users(settings.auth) and (reachable or settings.server.proxies):
        by = f"{host}" if reachable else "a server behind a proxy (HAVENGATE_SERVER__PROXIES)"
        raise SettingsError(
            f"{by} can be reached from other machines: make users first, HAVENGATE_AUTH__FILE or HAVENGATE_AUTH__USERS "
            "(docs/access.md)"
        )


def _free_port(family: socket.AddressFamily, address: tuple[Any, ...]) -> int:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(address)
        return int(probe.getsockname()[1])


def _reachable(host: str) -> str:
    """A host name for this machine's own clients."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - a name to be replaced


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _write_server_file(record: Path, url: str, token: str, certificates: Certificates | None) -> None:
    """Whole or not at all, and for this user's eyes (mkstemp's mode is 600).

    The certificate's path is for the owner's commands, to whose address its names need not be made out.
    """
    said: dict[str, object] = {"url": url, "pid": os.getppid()}
    said |= ({"token": token} if token else {}) | ({"certificate": str(certificates.cert)} if certificates else {})
    record.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=record.parent, prefix=f"{record.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(said, file)
    Path(name).replace(record)
