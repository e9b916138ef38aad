"""Which font of this machine draws a text, judged by the glyphs themselves and not by the font's name."""

from __future__ import annotations

import unicodedata
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL.ImageFont import FreeTypeFont

_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "~/Library/Fonts",
    "C:/Windows/Fonts",
)
_SUFFIXES = frozenset({".ttf", ".ttc", ".otf"})
_MOST_FONTS = 300
# Tried first: fonts that have Chinese, the better-looking before the others.
_LIKELY = ("notosanscjk", "notosanssc", "sourcehansans", "pingfang", "msyh", "wqy", "droidsansfallback", "hiragino")
# Its boxes for every character would pass for glyphs.
_LAST_RESORT = "lastresort"
_NO_CHARACTER = "\U0010ffff"
_INKLESS = frozenset({"Cc", "Cf", "Mn", "Zs", "Zl", "Zp"})


class FontBook:
    """Fonts by what they can draw: Pillow's own first, then those in the machine's font folders."""

    def __init__(self, folders: Iterable[Path] | None = None) -> None:
        self._folders = folders

    def font_for(self, text: str, size: float) -> FreeTypeFont | None:
        """A font that has a glyph for every character of the text, or None."""
        own = own_font(size)
        if draws(own, text):
            return own
        found = (font for path in self._paths if (font := _load(path, size)) is not None and draws(font, text))
        return next(found, None)

    @cached_property
    def _paths(self) -> list[Path]:
        folders = _font_folders() if self._folders is None else self._folders
        files = (file for folder in folders for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES)
        return sorted((file for file in files if _LAST_RESORT not in _plain(file)), key=_preference)[:_MOST_FONTS]


def own_font(size: float) -> FreeTypeFont:
    """The Latin font that Pillow carries, so that every machine draws the same sheet."""
    from PIL import ImageFont

    return cast("FreeTypeFont", ImageFont.load_default(size))


def draws(font: FreeTypeFont, text: str) -> bool:
    """Whether every character that leaves ink has a glyph of its own, not the font's box for missing ones."""
    missing = _ink(font, _NO_CHARACTER)
    visible = {c for c in text if unicodedata.category(c) not in _INKLESS}
    return all(any(_ink(font, c)[1]) and _ink(font, c) != missing for c in visible)


def _ink(font: FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


def _load(path: Path, size: float) -> FreeTypeFont | None:
    from PIL import ImageFont

    try:
        return ImageFont.truetype(path, size)
    except OSError:
        return None


def _font_folders() -> list[Path]:
    try:
        return [Path(folder).expanduser() for folder in _FOLDERS]
    except RuntimeError:  # no home
        return [Path(folder) for folder in _FOLDERS if not folder.startswith("~")]


def _preference(file: Path) -> tuple[int, bool, str]:
    name = _plain(file)
    rank = next((i for i, likely in enumerate(_LIKELY) if name.startswith(likely)), len(_LIKELY))
    return rank, "regular" not in name, str(file)


def _plain(file: Path) -> str:
    return file.stem.lower().replace("-", "").replace("_", "").replace(" ", "")
