"""The demo's contact sheet: every query and the pictures found, as one HTML file and one PNG."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture found: its row's title and category, the distance as printed, the picture file's bytes."""

    title: str
    category: str
    distance: str
    picture: bytes


@dataclass(frozen=True, slots=True)
class Panel:
    """One query and its hits, best first.

    query          as the user wrote it, in any script
    gloss          what it means in English; "" where the query is English
    note           how it was asked and what the certificate says
    query_picture  the bytes of the picture that was searched with, if it was one
    """

    query: str
    gloss: str
    note: str
    query_picture: bytes | None
    hits: Sequence[Shown]


def write_contact_sheet(panels: Sequence[Panel], html: Path, png: Path, *, heading: str) -> None:
    """Writes both files or neither; the HTML needs nothing beside itself.

    Where no font of this machine draws a query, the PNG prints its gloss. Raises PictureError for bytes that
    are no picture, OSError where a file cannot be written.
    """
    from havengate.demo.sheet_html import page
    from havengate.demo.sheet_png import draw

    with _whole(html) as new_html, _whole(png) as new_png:
        new_html.write_text(page(panels, heading), encoding="utf-8")
        draw(panels, heading).save(new_png, "PNG", optimize=True)


@contextmanager
def _whole(file: Path) -> Iterator[Path]:
    """A name to write under; the file appears under its own name when all of it is there."""
    unfinished = file.with_name(f".{file.name}.new")
    try:
        yield unfinished
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
