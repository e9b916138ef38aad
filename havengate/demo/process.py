"""A gateway in a process of its own on a free loopback port, as a user's would be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlparse

from havengate.errors import EngineError

_START_S = 60.0
_STOP_S = 15.0
_OF_OTHERS = ("HAVENGATE_AUTH__", "HAVENGATE_SERVER__TLS_", "HAVENGATE_SERVER__PROXIES")


@contextmanager
def gateway(data_dir: Path) -> Iterator[str]:
    """``host:port`` of a gateway that is ready; it ends with the context.

    Raises EngineError with the server's own words when it does not start.
    """
    log = data_dir / "demo" / "gateway.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    # The samples come without users and https; nobody else reaches this gateway.
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(_OF_OTHERS)}
    environment |= {"HAVENGATE_DATA_DIR": str(data_dir)}
    with log.open("w+b") as output, _signals_unwind():
        command = [sys.executable, "-m", "havengate.demo.tied", str(os.getpid()), "serve", "--port", "0"]
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=output)  # noqa: S603
        try:
            yield _wait(server, data_dir / "server.json", log)
        finally:
            server.terminate()
            try:
                server.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@contextmanager
def _signals_unwind() -> Iterator[None]:
    """SIGTERM and SIGHUP leave by SystemExit, so that what was opened is closed."""

    def leave(number: int, _frame: object) -> NoReturn:
        sys.exit(128 + number)

    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    wanted = [number for number, handler in former.items() if handler is not signal.SIG_IGN]  # nohup
    try:
        for number in wanted:
            signal.signal(number, leave)
        yield
    finally:
        for number in wanted:
            signal.signal(number, former[number])


def _wait(server: subprocess.Popen[bytes], server_file: Path, log: Path) -> str:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        url = _ready_url(server_file, server.pid)
        if url is not None:
            return urlparse(url).netloc
        time.sleep(0.05)
    said = log.read_text(errors="replace").strip().splitlines()
    raise EngineError(f"the gateway did not start: {said[-1] if said else 'it said nothing'} (all of it: {log})")


def _ready_url(server_file: Path, pid: int) -> str | None:
    try:
        server = json.loads(server_file.read_text())
        if server["pid"] != pid:
            return None
        with urllib.request.urlopen(f"{server['url']}/readyz", timeout=5):  # noqa: S310  (our own server's file)
            return str(server["url"])
    except (OSError, ValueError, KeyError, urllib.error.URLError):
        return None
