"""All that is wrong with the settings of a process that is about to serve, found before it begins: every line at once.

What is away for a while (cluster, bucket, model server) is not looked at: a start does not wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from havengate.errors import HavengateError, SettingsError
from havengate.settings import read_settings

if TYPE_CHECKING:
    from havengate.settings import Settings

_Check = Callable[["Settings"], Iterator[str]]


def checked_settings() -> Settings:
    """The settings of the environment. Raises SettingsError with a line for everything that is wrong with them."""
    settings, found = read_settings()
    # What is wrong has its default here, so that nothing is told twice.
    found += problems(settings)
    if found:
        raise SettingsError("\n".join(found))
    return settings


def problems(settings: Settings) -> list[str]:
    """A line for each thing that keeps these settings from working, with the variable that is to blame."""
    return [line for check in _CHECKS for line in check(settings)]


def _pairs(settings: Settings) -> Iterator[str]:
    """What has a meaning only beside something else."""
    engine, embedding, blobs, sources = settings.engine, settings.embedding, settings.blobs, settings.sources
    server = settings.server
    for one, other, given in (
        ("ENGINE__USER", "ENGINE__PASSWORD", (engine.user, engine.password.get_secret_value())),
        ("EMBEDDING__USER", "EMBEDDING__PASSWORD", (embedding.user, embedding.password.get_secret_value())),
        ("SERVER__TLS_CERT", "SERVER__TLS_KEY", (server.tls_cert, server.tls_key)),
        (
            "BLOBS__ACCESS_KEY_ID",
            "BLOBS__ACCESS_KEY_SECRET",
            (blobs.access_key_id, blobs.access_key_secret.get_secret_value()),
        ),
        (
            "SOURCES__OSS_ACCESS_KEY_ID",
            "SOURCES__OSS_ACCESS_KEY_SECRET",
            (sources.oss_access_key_id, sources.oss_access_key_secret.get_secret_value()),
        ),
        (
            "SOURCES__MAXCOMPUTE_ACCESS_KEY_ID",
            "SOURCES__MAXCOMPUTE_ACCESS_KEY_SECRET",
            (sources.maxcompute_access_key_id, sources.maxcompute_access_key_secret.get_secret_value()),
        ),
    ):
        if any(given) and not all(given):
            there, missing = (one, other) if given[0] else (other, one)
            yield f"HAVENGATE_{missing}: is missing, HAVENGATE_{there} is set"
    if settings.log.slow_index and engine.kind != "opensearch":
        yield "HAVENGATE_LOG__SLOW_INDEX: is for HAVENGATE_ENGINE__KIND=opensearch only"
    if engine.ca is not None and not engine.verify_certs:
        yield "HAVENGATE_ENGINE__CA: has no effect, because HAVENGATE_ENGINE__VERIFY_CERTS is false"


def _files(settings: Settings) -> Iterator[str]:
    engine, embedding, server = settings.engine, settings.embedding, settings.server
    for variable, path in (
        ("ENGINE__CA", engine.ca),
        ("AUTH__FILE", settings.auth.file),
        ("EMBEDDING__CATALOGUE", embedding.catalogue),
        ("EMBEDDING__DETECTOR", embedding.detector),
        ("SERVER__TLS_CERT", server.tls_cert),
        ("SERVER__TLS_KEY", server.tls_key),
    ):
        if path is not None and (why := _unreadable(path)):
            yield f"HAVENGATE_{variable}: {why}"
    if embedding.offline is not None and not embedding.offline.is_dir():
        yield f"HAVENGATE_EMBEDDING__OFFLINE: no folder {embedding.offline}"
    if settings.log.audit is not None and not _is_writable(settings.log.audit):
        yield f"HAVENGATE_LOG__AUDIT: {settings.log.audit} cannot be written"
    yield from _folder(settings.data_dir)


def _folder(folder: Path) -> Iterator[str]:
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        yield f"HAVENGATE_DATA_DIR: {existing} is a file, not a folder"
    elif not os.access(existing, os.W_OK | os.X_OK):
        yield f"HAVENGATE_DATA_DIR: {existing} is not writable"


def _unreadable(path: Path) -> str:
    """Why a file cannot be read; empty where it can."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    return ""


def _is_writable(path: Path) -> bool:
    return os.access(path if path.exists() else path.parent, os.W_OK) and not path.is_dir()


def _users(settings: Settings) -> Iterator[str]:
    from gateway.directory import load_users
    from gateway.users import parse_users

    entries = [entry for entry in settings.auth.users.split(",") if entry.strip()]
    wrong = [line for entry in entries for line in _raised(parse_users, entry)]
    yield from wrong
    # One call tells the first wrong one only; all together are for those who stand twice.
    if not wrong and (settings.auth.file is None or not _unreadable(settings.auth.file)):
        yield from _raised(load_users, settings.auth)


def _contents(settings: Settings) -> Iterator[str]:
    """Files that can be read, read as what they are."""
    embedding, server = settings.embedding, settings.server
    if embedding.catalogue is None or not _unreadable(embedding.catalogue):
        from embedding.catalogue import load_catalogue

        yield from _raised(load_catalogue, embedding)
    if server.tls_cert and server.tls_key and not (_unreadable(server.tls_cert) or _unreadable(server.tls_key)):
        from gateway.tls import load

        yield from _raised(load, server.tls_cert, server.tls_key)
    if settings.engine.ca is not None and not _unreadable(settings.engine.ca):
        yield from _authorities(settings.engine.ca)
    if settings.images.key.get_secret_value():
        from havengate.image_tokens import load_key

        yield from _raised(load_key, settings)


def _authorities(file: Path) -> Iterator[str]:
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except (ssl.SSLError, OSError):
        yield f"HAVENGATE_ENGINE__CA: {file} holds no certificates (PEM)"


def _extras(settings: Settings) -> Iterator[str]:
    if settings.engine.kind == "opensearch" and find_spec("opensearchpy") is None:
        yield "HAVENGATE_ENGINE__KIND: opensearch needs opensearchpy: pip install 'havengate[opensearch]'"
    if settings.blobs.url:
        from havengate.bucket_blobs import open_bucket_blobs

        yield from _raised(lambda: open_bucket_blobs(settings).close())


def _raised(check: Callable[..., object], *arguments: object) -> Iterator[str]:
    try:
        check(*arguments)
    except HavengateError as error:
        yield from error.message.splitlines()


_CHECKS: tuple[_Check, ...] = (_pairs, _files, _users, _contents, _extras)
