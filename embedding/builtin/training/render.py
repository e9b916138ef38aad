"""Stage 2b: drawings from SVG to pixels, kept as PNG files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image
from tqdm import tqdm

from embedding.builtin.training.augment import SIDE
from havengate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedding.builtin.training.drawings import Drawing


def render_all(drawings: Sequence[Drawing], folder: Path) -> None:
    """One RGBA file of 256 pixels each, those that are there left alone. Raises ModelError without resvg_py."""
    missing = [drawing for drawing in drawings if not picture_path(drawing, folder).exists()]
    for drawing in tqdm(missing, desc="drawing", unit="SVG", disable=not missing):
        path = picture_path(drawing, folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        render(drawing.svg).save(part, "PNG", compress_level=1)
        part.replace(path)


def render(svg: str) -> Image.Image:
    """The SVG's longer side at 256 pixels, in the middle of a transparent square."""
    try:
        from resvg_py import svg_to_bytes
    except ImportError as error:
        raise ModelError("resvg_py is not installed: pip install -e '.[train]'") from error
    with Image.open(io.BytesIO(bytes(svg_to_bytes(svg_string=svg, width=SIDE, skip_system_fonts=True)))) as drawn:
        picture = drawn.convert("RGBA")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2))
    return square


def picture_path(drawing: Drawing, folder: Path) -> Path:
    """Where a drawing's pixels are kept."""
    return folder / drawing.package / f"{drawing.code}.png"
