"""The machine: the data folder, the files of secrets in it, who may come in, and by which certificate."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

from havengate.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from havengate.settings import Settings

_ROOM_GB = 1.0
_OTHERS = 0o077
_SOON_DAYS = 14
_DAY_S = 86_400
_SECRETS = ("images.key", "jobs.sqlite", "server.json")


def folder(settings: Settings) -> str:
    place = settings.data_dir.resolve()
    existing = next(path for path in (place, *place.parents) if path.exists())
    if not existing.is_dir():
        raise NotADirectoryError(f"{existing} is a file, not a folder; set HAVENGATE_DATA_DIR")
    if not os.access(existing, os.W_OK):
        raise PermissionError(f"{existing} is not writable; set HAVENGATE_DATA_DIR")
    free = shutil.disk_usage(existing).free / 1e9
    if free < _ROOM_GB:
        raise OSError(f"{existing} has {free:.1f} GB free, less than {_ROOM_GB:.0f}")
    if open_files := [path for name in _SECRETS if _is_open(path := place / name)]:
        raise PermissionError(f"others can read {', '.join(map(str, open_files))}; chmod 600 helps")
    return f"{place}, {free:.0f} GB free"


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & _OTHERS)


def users(settings: Settings) -> str:
    from gateway.directory import load_users
    from gateway.users_file import exposure

    file = settings.auth.file
    count = len(load_users(settings.auth))
    if file is not None and (warning := exposure(file)):
        raise SettingsError(warning)
    return f"{count} users" if count else "none: the gateway listens on loopback only"


def certificate(settings: Settings) -> str:
    from gateway.tls import expires, open_certificates

    server = settings.server
    open_certificates(server)
    if server.tls_cert is None or server.tls_key is None:
        return "none: http is served"
    days = (expires(server.tls_cert, server.tls_key) - time.time()) / _DAY_S
    if days < _SOON_DAYS:
        raise SettingsError(f"{server.tls_cert} expires in {days:.0f} days: renew it; a running server reads it again")
    return f"{server.tls_cert} and its key fit, for {days:.0f} days"
