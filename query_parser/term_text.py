"""How the text of a vector term is read: as it stands, or as Base64.

The vendor does not say how its server tells them apart (older pages demand Base64, newer ones allow plain text),
so the rule is our own, and a table's setting ``text`` may fix it.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from typing import Literal

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span

_LONG = 12
_CJK = (
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"
    "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"
)
_CJK_CHARACTER = re.compile(f"[{_CJK}]")
_CJK_TEXT = re.compile(f"[{_CJK}\x20-\x7e\u3000-\u303f\uff00-\uffef]+")
_ASCII_TEXT = re.compile(r"[\x20-\x7e]+")


def term_text(content: str, mode: Literal["auto", "plain", "base64"], span: Span) -> str:
    """The words to search for. Raises RequestError 1033 where Base64 is demanded and it is not."""
    if mode == "plain":
        return content
    decoded = _decoded(content)
    if mode == "auto":
        return content if decoded is None or not _meant(content, decoded) else decoded
    if decoded is None:
        message = "the text is not Base64 of UTF-8, which this table's setting text=base64 demands"
        raise RequestError(message, code=HaCode.QUERY_INVALID, span=span)
    return decoded


def _decoded(content: str) -> str | None:
    """Strictly valid Base64 of strictly valid UTF-8; clients that do not quote turn ``+`` into a blank."""
    encoded = content.replace(" ", "+")
    try:
        raw = b64decode(encoded, validate=True)
        return raw.decode("utf-8") if b64encode(raw).decode("ascii") == encoded else None
    except (binascii.Error, ValueError):
        return None


def _meant(content: str, decoded: str) -> bool:
    """Whether a text that can be decoded should be: short English words are valid Base64, too."""
    if content.endswith("="):
        return True
    if _CJK_TEXT.fullmatch(decoded) and 2 * len(_CJK_CHARACTER.findall(decoded)) >= len(decoded):
        return True
    worded = " " in decoded or "&" in decoded
    return len(content) >= _LONG and worded and _ASCII_TEXT.fullmatch(decoded) is not None
