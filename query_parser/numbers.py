"""Numbers in clauses: whole ones as autil's StringUtil reads them, None where the engine says no; and written."""

from __future__ import annotations

from decimal import Decimal

_UINT32 = 2**32 - 1
_INT32 = 2**31
_INT64 = 2**63
_UINT64 = 2**64 - 1
_LONGEST = 40
"""Digits; leading zeros make a number no larger."""


def uint32(text: str) -> int | None:
    return _within(text, 0, _UINT32)


def uint64(text: str) -> int | None:
    return _within(text, 0, _UINT64)


def int32(text: str) -> int | None:
    return _within(text, -_INT32, _INT32 - 1)


def int64(text: str) -> int | None:
    return _within(text, -_INT64, _INT64 - 1)


def decimal_text(value: float) -> str:
    """The same number without an exponent, which no clause knows."""
    text = f"{Decimal(repr(value)):f}"
    if isinstance(value, int):
        return text
    return text.removesuffix(".0") if "." in text else f"{text}.0"


def _within(text: str, low: int, high: int) -> int | None:
    """A plus is a sign to C's strtoul, too; a minus is none where nothing below zero is meant."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits.isascii() or not digits.isdigit() or len(digits) > _LONGEST or (low == 0 and text[0] == "-"):
        return None
    number = int(text)
    return number if low <= number <= high else None
