import base64
import io
import re
import struct
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from havengate.demo.contact_sheet import Panel, Shown, write_contact_sheet
from havengate.demo.fonts import FontBook, draws, own_font
from havengate.demo.sheet_png import draw, printable
from havengate.errors import PictureError

UNDRAWABLE = "\U000f0123\U000f0124"
"""Private-use characters: no font has glyphs for them."""


def picture(colour):
    out = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(out, "PNG")
    return out.getvalue()


HIT = Shown("A red sheet", "things", "0.1234", picture("red"))


def panel(query="red", gloss="", note="n=1: 1 of 1 rows", asked=None, hits=(HIT,)):
    return Panel(query, gloss, note, asked, hits)


def font_with(character):
    """Pillow's own font with a table of characters that has this one only."""
    font = bytearray(own_font(20).path.getvalue())
    tables = struct.unpack_from(">H", font, 4)[0]
    entry = next(at for at in range(12, 12 + 16 * tables, 16) if font[at : at + 4] == b"cmap")
    groups = struct.pack(">HHIIIIII", 12, 0, 28, 0, 1, ord(character), ord(character), 36)
    table = struct.pack(">HHHHI", 0, 1, 3, 10, 12) + groups
    struct.pack_into(">II", font, entry + 8, len(font), len(table))
    return bytes(font) + table


class Reader(HTMLParser):
    """Collects text, pictures and every attribute that could load something."""

    def __init__(self):
        super().__init__()
        self.words, self.pictures, self.tags = "", [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.pictures += [value for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_data(self, data):
        self.words += data


def sheet(folder, panels, heading="found"):
    html, png = folder / "sheet.html", folder / "sheet.png"
    write_contact_sheet(panels, html, png, heading=heading)
    page = html.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    return page, reader, Image.open(io.BytesIO(png.read_bytes()))


def test_the_html_needs_nothing_beside_itself(tmp_path):
    page, reader, _ = sheet(tmp_path, [panel(asked=picture("blue")), panel()])
    assert not re.search(r"//|url\(|@import", re.sub(r'"data:[^"]*"', "", page), re.IGNORECASE)
    assert not reader.tags & {"script", "link", "iframe", "object", "base"}
    assert len(reader.pictures) == 3
    for uri in reader.pictures:
        head, _, body = uri.partition(",")
        assert head == "data:image/jpeg;base64"
        assert Image.open(io.BytesIO(base64.b64decode(body))).size == (60, 40)


def test_the_html_says_all_there_is(tmp_path):
    _, reader, _ = sheet(
        tmp_path, [panel(query="摩托车&头盔", gloss="motorcycle and helmet")], heading="Pictures found"
    )
    said = [
        "Pictures found",
        "摩托车&头盔",
        "motorcycle and helmet",
        "n=1: 1 of 1 rows",
        "A red sheet",
        "things",
        "0.1234",
    ]
    assert [words for words in said if words not in reader.words] == []


def test_html_in_a_text_stays_text(tmp_path):
    evil = "<script>alert('x')</script>\"&"
    page, reader, _ = sheet(
        tmp_path, [panel(evil, evil, evil, hits=[Shown(evil, evil, evil, HIT.picture)])], heading=evil
    )
    assert "<script" not in page
    assert reader.words.count(evil) >= 7


def test_a_query_without_hits_says_so(tmp_path):
    _, reader, png = sheet(tmp_path, [panel(hits=())])
    assert "no pictures found" in reader.words
    assert png.format == "PNG"


def test_no_queries_at_all(tmp_path):
    _, reader, png = sheet(tmp_path, [])
    assert "0 queries" in reader.words
    assert png.width == 2000


def test_the_png_shows_every_hit_and_the_query_picture():
    hits = [Shown("t", "c", "0", picture(colour)) for colour in ("red", "lime", "blue", "cyan", "magenta", "yellow")]
    drawn = {colour for _, colour in draw([panel(asked=picture("orange"), hits=hits)], "found").getcolors(1 << 24)}
    for want in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 255, 255), (255, 0, 255), (255, 255, 0), (255, 165, 0)):
        assert any(max(abs(a - b) for a, b in zip(want, got, strict=True)) <= 4 for got in drawn)


def test_the_png_prints_the_gloss_of_a_query_that_no_font_draws():
    assert draw([panel(UNDRAWABLE, "red")], "found") == draw([panel("red")], "found")


def test_a_gloss_stands_under_a_query_that_can_be_drawn():
    assert printable(panel("rouge", "red"), FontBook([])) == ("rouge", "red")
    assert printable(panel("红", "red"), FontBook([])) == ("red", "")


def test_without_a_gloss_the_characters_are_spelt_out():
    assert printable(panel("红"), FontBook([])) == (r"\u7ea2", "")


@pytest.mark.parametrize("text", ["motorcycle helmet 0.25", "n=10: 6 of 6 rows, cate_id=1", " \n"])
def test_glyphs_that_are_there(text):
    assert draws(own_font(20), text)


@pytest.mark.parametrize("text", ["摩托车", UNDRAWABLE, "a摩"])
def test_glyphs_that_are_not(text):
    assert not draws(own_font(20), text)


def test_fonts_are_found_in_folders_and_broken_ones_passed_over(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    assert FontBook([tmp_path, tmp_path / "none"]).font_for("红", 20) is None
    (tmp_path / "deep" / "own.ttf").write_bytes(font_with("红"))
    found = FontBook([tmp_path]).font_for("红", 20)
    assert Path(found.path).name == "own.ttf"
    assert FontBook([tmp_path]).font_for("红蓝", 20) is None


def test_a_long_word_and_a_long_text_stay_inside_their_column():
    calm = draw([panel("x " * 400, "y" * 400, "z" * 900)], "found")
    assert calm.width == 2000
    column = calm.crop((40 + 28 + 230 + 3, 130, 40 + 28 + 230 + 25, calm.height - 60))
    assert len(column.getcolors()) == 1


def test_bytes_that_are_no_picture(tmp_path):
    with pytest.raises(PictureError, match="text file"):
        sheet(tmp_path, [panel(hits=[Shown("t", "c", "0", b"no picture")])])


def test_a_sheet_that_fails_leaves_the_former_one(tmp_path):
    sheet(tmp_path, [panel()])
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    broken = Shown("broken", "things", "0.1", b"no picture")
    with pytest.raises(PictureError):
        sheet(tmp_path, [panel(hits=(broken,))], heading="again")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
