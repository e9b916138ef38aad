"""Tokens that open the pictures of one table: browsers send no password for an <img>, so the URL carries one.

A token is the base64url text of 45 bytes: the format's number (1), the series (4), when it ends (8, seconds since
1970), all big-endian, and an HMAC-SHA256 (32) over those and the table's name. The series is counted up to revoke all
tokens of a table; which one is taken stands in the table's settings, so that all gateways of a cluster agree. A table
begins with a random one, so that tokens of a former table of its name open nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from havengate.errors import Forbidden, SettingsError
from havengate.setting_groups import SHORTEST_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from havengate.settings import Settings

FORMAT = 1
KEY_FILE = "images.key"
MOST_SERIES = 2**32 - 1
_MOST_FIRST = 2**31
"""Leaves as many to count up to."""
_HEAD = struct.Struct(">BIQ")
_LENGTH = 60
"""45 bytes are 60 characters without padding, and each of them counts: no two texts are the same token."""
_PURPOSE = b"havengate /images\0"


@dataclass(frozen=True, slots=True)
class Token:
    """What a genuine token says; ``expires`` in seconds since 1970."""

    series: int
    expires: int


def first_series() -> int:
    """What a table that is made, or restored, begins with."""
    return 1 + secrets.randbelow(_MOST_FIRST)


def make(key: bytes, table: str, series: int, expires: int) -> str:
    """A token that opens the pictures of ``table`` until ``expires``, seconds since 1970; 60 URL-safe characters."""
    head = _HEAD.pack(FORMAT, series, expires)
    return urlsafe_b64encode(head + _signature(key, table, head)).decode("ascii")


def read(key: bytes, table: str, token: str, now: float) -> Token:
    """What a token says that was made for this table and has not ended; its series is for the caller to compare.

    Raises Forbidden with one message whatever is wrong. What has not a token's length is not looked at.
    """
    if len(token) != _LENGTH or not token.isascii():
        raise Forbidden("Forbidden")
    try:
        # The standard alphabet's + and / would be other texts for the same bytes.
        data = urlsafe_b64decode(token) if token.replace("-", "0").replace("_", "0").isalnum() else b""
        head, signature = data[: _HEAD.size], data[_HEAD.size :]
        number, series, expires = _HEAD.unpack(head)
    except (ValueError, struct.error) as error:
        raise Forbidden("Forbidden") from error
    genuine = hmac.compare_digest(signature, _signature(key, table, head))
    if not genuine or number != FORMAT or expires <= now:
        raise Forbidden("Forbidden")
    return Token(series, expires)


def load_key(settings: Settings) -> bytes:
    """HAVENGATE_IMAGES__KEY, else what ``images.key`` in the data folder holds, which is made (mode 600) if need be.

    The file's text put into the setting is the same key. Raises SettingsError, OSError.
    """
    if given := settings.images.key.get_secret_value():
        return given.strip().encode()
    file = settings.data_dir / KEY_FILE
    if not file.exists():
        _make_key(file)
    key = file.read_bytes().strip()
    if len(key) < SHORTEST_KEY:
        raise SettingsError(
            f"{file}: at least {SHORTEST_KEY} characters are wanted; without the file a new one is made"
        )
    return key


def _signature(key: bytes, table: str, head: bytes) -> bytes:
    # A name from a URL may hold lone surrogates.
    signed = _PURPOSE + head + table.encode("utf-8", "surrogatepass")
    return hmac.digest(key, signed, hashlib.sha256)


def _make_key(file: Path) -> None:
    """The file appears whole or not at all, and of two that make one, one wins."""
    file.parent.mkdir(parents=True, exist_ok=True)
    mine = file.with_name(f".{KEY_FILE}-{secrets.token_hex(8)}")
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(f"{secrets.token_hex(32)}\n")
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(mine, file)
    finally:
        mine.unlink(missing_ok=True)
