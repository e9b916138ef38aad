"""Words of TEXT, the same on every engine: NFKC, casefolded; a CJK ideograph, kana or Hangul syllable is a word alone.

A TEXT field has a column of its words beside it, and Match looks for phrases in that. A full-text index of SQLite
(FTS5) would answer from another moment than the snapshot that all other conditions see, and would need its own
tokeniser to agree with OpenSearch; one substring search over a column is fast enough for what memory holds.
"""

from __future__ import annotations

import hashlib
import unicodedata
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 64
_KEPT = 40
_HASH_BYTES = 12
_SINGLE = (
    (0x3005, 0x3007),  # iteration mark, closing mark, zero
    (0x3041, 0x3096),  # hiragana
    (0x309D, 0x309F),
    (0x30A1, 0x30FA),  # katakana
    (0x30FC, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # ideographs
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3),  # Hangul syllables
    (0xF900, 0xFAFF),
    (0x1AFF0, 0x1B16F),  # kana of older scripts
    (0x20000, 0x3FFFF),
)
"""Blocks of the Unicode character database whose characters are words alone."""
_SELECTORS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
"""Variation selectors choose a glyph and change no word."""
_BREAK, _WORD_END = " ", "\t"


def words(text: str) -> list[str]:
    """In order; none holds whitespace. One longer than 64 characters is its beginning and a hash."""
    return [_folded(word) for word in _spread(text).split()]


def phrases(text: str, phrase: bool) -> list[list[str]]:
    """What Match looks for: words that must stand side by side, list by list; nothing where the text has no words.

    ``phrase``: all words are one list. Otherwise an unbroken run of single-character words is one, any other word
    another: ``红色头盔 XL`` is 红 色 头 盔, and xl.
    """
    if phrase:
        found = words(text)
        return [found] if found else []
    return [list(run) for part in _spread(text).split(_BREAK) for run in _runs(part.split())]


def padded(value: str | Sequence[str]) -> str:
    """The words of one or several values as a column holds them: a blank around each, two between values.

    No phrase reaches from one value into the next.
    """
    values = (value,) if isinstance(value, str) else value
    return f" {'  '.join(' '.join(words(text)) for text in values)} "


def needle(phrase: Sequence[str]) -> str:
    """Is inside a padded text exactly where the words of the phrase stand side by side."""
    return f" {' '.join(phrase)} "


def _runs(parts: list[str]) -> list[list[str]]:
    runs: list[list[str]] = []
    for single, run in groupby(parts, key=lambda word: len(word) == 1 and _within(ord(word), _SINGLE)):
        if single:
            runs.append(list(run))
        else:
            runs += [[_folded(word)] for word in run]
    return runs


def _folded(word: str) -> str:
    if len(word) <= _LONGEST:
        return word
    # "#" is in no word, so that no other word looks like this one.
    return f"{word[:_KEPT]}#{hashlib.blake2b(word.encode(), digest_size=_HASH_BYTES).hexdigest()}"


def _spread(text: str) -> str:
    """Words end at whitespace, and unbroken runs at blanks."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.translate(_table())


class _Table(dict[int, str]):
    """What becomes of a character; found out once for each."""

    def __missing__(self, code: int) -> str:
        self[code] = found = _spread_character(code)
        return found


@cache
def _table() -> _Table:
    return _Table()


def _spread_character(code: int) -> str:
    character = chr(code)
    if _within(code, _SELECTORS):
        return ""
    if _within(code, _SINGLE) and character.isalnum():
        return f"{_WORD_END}{character}{_WORD_END}"
    return character if character.isalnum() or unicodedata.category(character)[0] == "M" else _BREAK


def _within(code: int, blocks: Sequence[tuple[int, int]]) -> bool:
    return any(first <= code <= last for first, last in blocks)
