"""The contact sheet as one picture: a card per query, its words on the left, the pictures found on the right."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageOps

from havengate.demo.fonts import FontBook, own_font
from havengate.images import thumbnail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.ImageFont import FreeTypeFont

    from havengate.demo.contact_sheet import Panel, Shown

_PAGE, _CARD, _LINE = "#f4f4f1", "#ffffff", "#e4e4df"
_INK, _SOFT, _MARK = "#1c1d1f", "#6a6d73", "#b4431f"
_WIDTH, _MARGIN, _PADDING, _GAP = 2000, 40, 28, 20
_ACROSS = 2
_CARD_WIDTH = (_WIDTH - 2 * _MARGIN - (_ACROSS - 1) * _GAP) // _ACROSS
_WORDS = 230
_TILE, _COLUMNS = 146, 4
_CAPTION = 92
_HEADER = 130
_QUERY, _GLOSS, _NOTE, _TITLE, _FACTS = 28, 20, 16, 16, 14
_LEADING = 1.3
_SHARP = 4  # letters are drawn larger and scaled down: at their own size they would stand on whole pixels only


def draw(panels: Sequence[Panel], heading: str) -> Image.Image:
    """The sheet, 2000 pixels wide, two cards side by side. Raises PictureError for bytes that are no picture."""
    fonts = FontBook()
    cards = [_card(panel, fonts) for panel in panels]
    rows = [cards[place : place + _ACROSS] for place in range(0, len(cards), _ACROSS)]
    height = _HEADER + sum(_row_height(row) + _GAP for row in rows) + _MARGIN
    sheet = Image.new("RGB", (_WIDTH, height), _PAGE)
    pen = _Pen(sheet, fonts)
    pen.text((_MARGIN, 44), heading, 38, _INK)
    top = _HEADER
    for row in rows:
        for column, card in enumerate(row):
            sheet.paste(card, (_MARGIN + column * (_CARD_WIDTH + _GAP), top))
        top += _row_height(row) + _GAP
    return sheet


def _row_height(row: Sequence[Image.Image]) -> int:
    return max(card.height for card in row)


def printable(panel: Panel, fonts: FontBook) -> tuple[str, str]:
    """The panel's headline and the line under it, in characters that the machine's fonts can draw."""
    if fonts.font_for(panel.query, _QUERY) is not None:
        return panel.query, panel.gloss
    return panel.gloss or panel.query.encode("unicode_escape").decode(), ""


class _Pen:
    """Draws text and pictures onto one sheet, in fonts that have the glyphs."""

    def __init__(self, sheet: Image.Image, fonts: FontBook) -> None:
        self._sheet = sheet
        self._fonts = fonts

    def text(self, at: tuple[int, int], text: str, size: int, colour: str, *, width: int = 0, lines: int = 99) -> int:
        """Writes the text, broken at ``width`` pixels into at most ``lines``; returns where the next line begins."""
        font = self._fonts.font_for(text, size * _SHARP)
        if font is None:
            font, text = own_font(size * _SHARP), text.encode("unicode_escape").decode()
        x, y = at
        for line in _broken(text, font, width * _SHARP, lines):
            mask = _line_mask(line, font)
            self._sheet.paste(colour, (x, y, x + mask.width, y + mask.height), mask)
            y += round(size * _LEADING)
        return y

    def tile(self, at: tuple[int, int], picture: bytes, side: int) -> None:
        whole = Image.open(io.BytesIO(thumbnail(picture, 2 * side)))
        square = ImageOps.fit(whole, (side, side), Image.Resampling.LANCZOS)
        self._sheet.paste(square, at, _rounded((side, side), 8))


def _card(panel: Panel, fonts: FontBook) -> Image.Image:
    rows = max(1, -(-len(panel.hits) // _COLUMNS))
    tall = Image.new("RGB", (_CARD_WIDTH, 2000 + rows * (_TILE + _CAPTION)), _CARD)
    pen = _Pen(tall, fonts)
    bottom = max(_words(pen, panel, fonts), _hits(pen, panel.hits))
    card = tall.crop((0, 0, tall.width, bottom + _PADDING))
    framed = Image.new("RGB", card.size, _PAGE)
    framed.paste(card, mask=_rounded(card.size, 14))
    return framed


def _words(pen: _Pen, panel: Panel, fonts: FontBook) -> int:
    headline, second = printable(panel, fonts)
    x = _PADDING
    y = pen.text((x, _PADDING), headline, _QUERY, _INK, width=_WORDS, lines=4)
    if second:
        y = pen.text((x, y + 2), second, _GLOSS, _SOFT, width=_WORDS, lines=3)
    y = pen.text((x, y + 10), panel.note, _NOTE, _SOFT, width=_WORDS, lines=8)
    if panel.query_picture is not None:
        y += 14
        pen.tile((x, y), panel.query_picture, 120)
        y += 120
    return y


def _hits(pen: _Pen, hits: Sequence[Shown]) -> int:
    left = _PADDING + _WORDS + _PADDING
    if not hits:
        return pen.text((left, _PADDING), "no pictures found", _TITLE, _SOFT)
    step = (_CARD_WIDTH - _PADDING - left + _GAP) // _COLUMNS
    for place, hit in enumerate(hits):
        row, column = divmod(place, _COLUMNS)
        x, y = left + column * step, _PADDING + row * (_TILE + _CAPTION + _GAP)
        pen.tile((x, y), hit.picture, _TILE)
        y = pen.text((x, y + _TILE + 8), f"{place + 1}. {hit.title}", _TITLE, _INK, width=_TILE, lines=2)
        y = pen.text((x, y + 2), hit.category, _FACTS, _SOFT, width=_TILE, lines=1)
        pen.text((x, y), hit.distance, _FACTS, _SOFT, width=_TILE, lines=1)
    rows = -(-len(hits) // _COLUMNS)
    return _PADDING + rows * (_TILE + _CAPTION + _GAP) - _GAP


def _line_mask(line: str, font: FreeTypeFont) -> Image.Image:
    box = (round(font.getlength(line)) + 2 * _SHARP, round(font.size * 1.5))
    mask = Image.new("L", box, 0)
    ImageDraw.Draw(mask).text((0, 0), line, 255, font)
    return mask.resize((box[0] // _SHARP, box[1] // _SHARP), Image.Resampling.BOX)


def _broken(text: str, font: FreeTypeFont, width: int, most: int) -> list[str]:
    """Lines no wider than ``width`` (0: no limit), broken at blanks or, in a long word, anywhere."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in _pieces(paragraph, font, width):
            if width and line and font.getlength((line + piece).rstrip()) > width:
                lines.append(line.rstrip())
                line = piece.lstrip()
            else:
                line += piece
        lines.append(line.rstrip())
    if len(lines) > most:
        lines = [*lines[: most - 1], _shortened(lines[most - 1] + "...", font, width)]
    return lines


def _pieces(paragraph: str, font: FreeTypeFont, width: int) -> list[str]:
    words = [word + " " for word in paragraph.split(" ")]
    return [piece for word in words for piece in ([word] if not width or font.getlength(word) <= width else word)]


def _shortened(line: str, font: FreeTypeFont, width: int) -> str:
    while width and len(line) > len("...") and font.getlength(line) > width:
        line = line[:-4] + "..."
    return line


def _rounded(size: tuple[int, int], radius: int) -> Image.Image:
    """A mask with round corners, drawn four times as large so that they come out smooth."""
    width, height = size
    mask = Image.new("L", (4 * radius, 4 * radius), 0)
    ImageDraw.Draw(mask).ellipse((0, 0, 4 * radius - 1, 4 * radius - 1), 255)
    disc = mask.resize((2 * radius, 2 * radius), Image.Resampling.LANCZOS)
    whole = Image.new("L", size, 255)
    for x, left in ((0, 0), (width - radius, radius)):
        for y, top in ((0, 0), (height - radius, radius)):
            whole.paste(disc.crop((left, top, left + radius, top + radius)), (x, y))
    return whole
