"""Bytes that claim to be a picture -> an upright RGB picture, or an error that says what they are instead.

Size and pixel count are judged from the header, before anything is decoded. Only the first frame of an
animation or of a multi-page file is read. Colour profiles are not applied.
"""

from __future__ import annotations

import binascii
import codecs
import hashlib
import io
import re
from typing import TYPE_CHECKING

from havengate.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

    from havengate.setting_groups import LimitSettings

FORMATS = "JPEG, PNG, WebP, GIF, BMP, TIFF"

_URL_SAFE = str.maketrans({"-": "+", "_": "/", "\n": None, "\r": None, "\t": None, "\f": None, "\v": None})
_DATA_URI_HEAD = 256
_LINE_WIDTHS = (64, 76)  # PEM's and MIME's: what `base64` prints
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")

_OTHER_FILES = (
    (b"%PDF", "a PDF file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"8BPS", "a Photoshop file"),
    (b"\0\0\1\0", "an icon file"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
)

# A file that its decoder refuses and that lacks its format's end was cut off.
_ENDS = {
    "JPEG": (b"\xff\xd9", 2),
    "PNG": (b"IEND\xae\x42\x60\x82", 8),
    "GIF": (b";", 1),
}

_MOST_SCANS = 100
"""Progressive JPEGs have ten; tif_jpeg.c of libtiff stops at as many."""
_SCAN, _END = 0xDA, 0xD9
_JPEG_MARKER = re.compile(rb"\xff+[^\x00\x01\xd0-\xd7\xff]")


def content_hash(data: bytes) -> str:
    """SHA-256 of the bytes, 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def decode_base64(text: str) -> bytes:
    """The bytes of Base64 text as clients send it.

    Standard or URL-safe alphabet, as a data URI or plain, in one line or many, with or without padding.
    A blank inside stands for the ``+`` that form decoding made it from, unless the blanks stand at the
    ends of 64- or 76-character lines. Raises PictureError saying what is wrong.
    """
    body = _without_data_uri(text)
    # Looking for single characters is ten times as fast as translating megabytes that need it seldom.
    if any(chr(character) in body for character in _URL_SAFE):
        body = body.translate(_URL_SAFE)
    body = _with_plus_for_blanks(body).rstrip("=")
    if not body:
        raise PictureError("the picture is empty: no Base64 text")
    try:
        return binascii.a2b_base64(body + "=" * (-len(body) % 4), strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError(f"the picture is not Base64 text: {_base64_fault(body)}") from error


def _without_data_uri(text: str) -> str:
    head = text[:_DATA_URI_HEAD].lstrip()
    if head[:5].lower() != "data:":
        return text
    meta, comma, _ = head.partition(",")
    if not comma or not meta.lower().rstrip().endswith(";base64"):
        raise PictureError(f"the picture is a data URI without ';base64,': {meta[:60]!r}")
    return text[text.index(",") + 1 :]


def _with_plus_for_blanks(text: str) -> str:
    if " " not in text:
        return text
    inner = text.strip(" ")
    blanks = inner.count(" ")
    for width in _LINE_WIDTHS:
        ends = inner[width :: width + 1]
        if blanks and ends.count(" ") == len(ends) == blanks:
            return inner.replace(" ", "")
    # An outer blank is a lost + only where that completes the last group of four.
    whole = text if len(inner) % 4 and len(text) % 4 == 0 else inner
    return whole.replace(" ", "+")


def _base64_fault(body: str) -> str:
    found = _NOT_BASE64.search(body)
    if found:
        return f"character {found.group()!r} at {found.start()}"
    return f"{len(body)} characters cannot be whole bytes"


def decode_picture(data: bytes, limits: LimitSettings, *, target: int = 512, keep_alpha: bool = False) -> Image:
    """An upright picture in mode RGB; transparency shows white, or (``keep_alpha``) is kept in mode RGBA.

    A large JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as both sides keep at least twice ``target``
    pixels: by default more than four times the 224 of a model, which moves its pixels by 2 grey levels at most
    (by 3 or 4 at twice the 224). May be called from several threads.

    Raises PictureError: empty, too many bytes or pixels, a file of another kind, truncated, damaged.
    """
    if not data:
        raise PictureError("the picture is empty (0 bytes)")
    if len(data) > limits.picture_bytes:
        raise PictureError(f"the picture has {len(data)} bytes, more than the limit of {limits.picture_bytes}")
    plugin = _plugin(data)
    if plugin is None:
        raise PictureError(f"not a picture of a known format ({FORMATS}) but {_kind_of(data)}")
    try:
        with plugin(io.BytesIO(data)) as picture:
            _check_pixels(picture, limits)
            if picture.format == "JPEG":
                _check_scans(data)
                picture.draft(None, (2 * target, 2 * target))
            picture.load()
            return _upright(picture, _to_rgb(picture, keep_alpha=keep_alpha))
    except PictureError:
        raise
    except Exception as error:  # a broken file makes Pillow's plugins raise anything
        raise PictureError(_fault(data, str(plugin.format), error)) from error


def thumbnail(data: bytes, side: int, limits: LimitSettings | None = None) -> bytes:
    """A JPEG of the picture, at most ``side`` pixels wide and high. Raises PictureError."""
    from PIL.Image import Resampling

    from havengate.setting_groups import LimitSettings

    picture = decode_picture(data, limits or LimitSettings(), target=side)
    picture.thumbnail((side, side), Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85, optimize=True)
    return out.getvalue()


def _plugin(data: bytes) -> type[ImageFile] | None:
    """Pillow's reader by the file's first bytes.

    Image.open would try other formats too, and warn by Pillow's own pixel limit, which is one for the
    whole process.
    """
    from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

    readers: tuple[tuple[bytes, type[ImageFile]], ...] = (
        (rb"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
        (rb"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
        (rb"(?s:RIFF....WEBP)", WebPImagePlugin.WebPImageFile),
        (rb"GIF8[79]a", GifImagePlugin.GifImageFile),
        (rb"II[*+]\0|MM\0[*+]", TiffImagePlugin.TiffImageFile),
        (rb"BM", BmpImagePlugin.BmpImageFile),
    )
    return next((reader for magic, reader in readers if re.match(magic, data)), None)


def _check_pixels(picture: ImageFile, limits: LimitSettings) -> None:
    width, height = picture.size
    if width * height > limits.picture_pixels:
        raise PictureError(
            f"the {picture.format} picture claims {width} x {height} pixels, "
            f"more than the limit of {limits.picture_pixels}"
        )


def _check_scans(data: bytes) -> None:
    """A scan is a pass over all pixels, whatever few bytes it has: 100 KB of them would take minutes."""
    at, scans = 2, 0
    while found := _JPEG_MARKER.search(data, at):
        kind = data[found.end() - 1]
        if kind == _END:
            return
        scans += kind == _SCAN
        if scans > _MOST_SCANS:
            raise PictureError(f"the JPEG picture has more than {_MOST_SCANS} scans")
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")


def _to_rgb(picture: Image, *, keep_alpha: bool) -> Image:
    if picture.mode.startswith("I;16"):
        # convert() alone would clip at 255.
        white = _white(picture)
        return picture.convert("I").point(lambda grey: grey * (255 / white) + 0.5).convert("L").convert("RGB")
    if picture.mode in ("I", "F"):
        raise PictureError(f"the {picture.format} picture has 32-bit greys, which say nothing about what is white")
    if "transparency" in picture.info or picture.mode.upper().endswith("A"):
        if keep_alpha:
            return picture.convert("RGBA")
        # 50 million pixels are 200 MB a copy.
        return _on_white(picture if picture.mode == "RGBA" else picture.convert("RGBA"))
    return picture.convert("RGB")


def _white(picture: Image) -> int:
    """The largest grey value; cameras write 12-bit TIFFs."""
    tags = getattr(picture, "tag_v2", {})
    bits: int = tags.get(258, (16,))[0]
    return (1 << bits) - 1


def _on_white(picture: Image) -> Image:
    from PIL import Image

    sheet = Image.new("RGB", picture.size, "white")
    sheet.paste(picture, mask=picture)
    return sheet


def _upright(source: ImageFile, pixels: Image) -> Image:
    """``pixels`` turned as the camera says in the EXIF data of ``source``."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        turn = turns.get(source.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001 - metadata that cannot be read must not cost the picture
        turn = None
    return pixels if turn is None else pixels.transpose(turn)


def _fault(data: bytes, name: str, error: Exception) -> str:
    from PIL.Image import DecompressionBombError, DecompressionBombWarning

    if isinstance(error, (DecompressionBombError, DecompressionBombWarning)):
        return f"the {name} picture claims more pixels than can be decoded: {error}"
    if _is_text(data):
        return f"not a picture but {_kind_of(data)}"
    if _is_cut(data, name) or "truncat" in str(error).lower():
        return f"the {name} picture is truncated: {len(data)} bytes are not all of it"
    return f"the {name} picture is damaged: {str(error)[:200] or type(error).__name__}"


def _is_cut(data: bytes, name: str) -> bool:
    if name == "WEBP":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    if name == "BMP":
        return len(data) < int.from_bytes(data[2:6], "little")
    if name == "TIFF":
        start = data[8:16] if b"+" in data[2:4] else data[4:8]
        return len(data) < int.from_bytes(start, "little" if data.startswith(b"II") else "big") + 2
    end, length = _ENDS.get(name, (b"", 0))
    return bool(length) and data.rstrip(b"\0")[-length:] != end


def _kind_of(data: bytes) -> str:
    for magic, kind in _OTHER_FILES:
        if data.startswith(magic):
            return kind
    if data[4:8] == b"ftyp":
        return "a HEIC, AVIF or video file"
    if _is_text(data):
        return "an SVG drawing" if b"<svg" in data[:1024] else "a text file"
    return "bytes of another kind"


def _is_text(data: bytes) -> bool:
    try:
        sample = codecs.getincrementaldecoder("utf-8-sig")().decode(data[:1024])
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c.isspace() for c in sample)
