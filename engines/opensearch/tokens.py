"""Values as keyword terms whose order is the values' order.

A keyword of Lucene holds at most 32,766 bytes, so longer text keeps its beginning and a hash: equality stays exact,
order is that of the first 32,000 bytes (24,000 in a MAP), and no more than those are searched for parts. The hash is
spelled in characters of private use, so that no part of a real text is found in it.

A MAP is one keyword field of tokens: ``key NUL NUL`` says that the key has a value, ``... l`` that it holds a list,
``... t text`` and ``... n number`` are its values. A number is its nearest double as sortable hex, then how far it
lies from that double, so that integers of 64 bits and doubles stand in one exact order.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from engines.checks import rounded

if TYPE_CHECKING:
    from havengate.types import Scalar

_TEXT_BYTES = 32_000
_MAP_TEXT_BYTES = 24_000
_MAP_KEY_BYTES = 4_000
_SIGN = 1 << 63
_ALL = (1 << 64) - 1
_FARTHEST = 0x7FFF
_PRIVATE = {byte: 0x10FE00 + byte for byte in range(256)}


def keyword(text: str) -> str:
    """What a STRING is indexed and compared as."""
    return _folded(text, _TEXT_BYTES)


def map_tokens(value: Mapping[str, Any]) -> list[str]:
    """All tokens of a MAP, sorted."""
    return sorted(set(_tokens(value)))


def key_token(key: str) -> str:
    """Is among a MAP's tokens exactly where the key has a value."""
    # NUL is doubled by a 1 inside a key, so that no key is the beginning of another's tokens.
    return _folded(key, _MAP_KEY_BYTES).replace("\x00", "\x00\x01") + "\x00\x00"


def value_token(key: str, value: Scalar) -> str:
    if isinstance(value, str):
        return f"{text_token_start(key)}{_folded(value, _MAP_TEXT_BYTES)}"
    return f"{key_token(key)}n{_sortable(value)}"


def list_token(key: str) -> str:
    """Is among a MAP's tokens exactly where the key holds a list of values."""
    return f"{key_token(key)}l"


def text_token_start(key: str) -> str:
    """What the tokens of a key's texts begin with."""
    return f"{key_token(key)}t"


def kind_bounds(key: str, value: Scalar) -> tuple[str, str]:
    """The tokens of one key and kind lie in [first, last)."""
    first, last = ("t", "u") if isinstance(value, str) else ("n", "o")
    return key_token(key) + first, key_token(key) + last


def _tokens(value: Mapping[str, Any]) -> Iterator[str]:
    for key, held in value.items():
        if isinstance(held, list) and held:
            yield list_token(key)
        for item in held if isinstance(held, list) else (held,):
            yield key_token(key)
            yield value_token(key, item)


def _sortable(value: float) -> str:
    near = rounded(value, single=False) + 0.0
    rest = value - int(near) if isinstance(value, int) and math.isfinite(near) else 0
    (bits,) = struct.unpack(">Q", struct.pack(">d", near))
    bits ^= _ALL if bits & _SIGN else _SIGN
    return f"{bits:016x}{max(-_FARTHEST, min(_FARTHEST, rest)) + _FARTHEST:04x}"


def _folded(text: str, limit: int) -> str:
    data = text.encode()
    if len(data) <= limit:
        return text
    spelled = hashlib.sha256(data).digest().decode("latin-1").translate(_PRIVATE)
    return data[:limit].decode(errors="ignore") + spelled
