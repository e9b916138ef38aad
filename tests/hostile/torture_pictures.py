"""Pictures that no camera makes: small files that claim, hide or repeat much; polyglots; rare but right ones."""

import io
import random
import struct
import zipfile
import zlib

from picture_samples import huge_headers, png, png_chunk, saved, scene
from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
SIDE = 7000
"""49 million pixels, just within the limit of 50."""
_PNG = b"\x89PNG\r\n\x1a\n"
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def zeros(count):
    """Deflated zeros, made without holding them."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(min(1 << 20, count - at))) for at in range(0, count, 1 << 20)]
    return b"".join([*parts, packer.flush()])


def flat_png(width, height, *, depth=8, colour=0, interlaced=False, extra=0, chunks=()):
    """Zeros throughout; ``extra`` more bytes than the picture has behind them."""
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in _ADAM7]
    rows = passes if interlaced else [(width, height)]
    size = sum(high * (1 + (wide * bits + 7) // 8) for wide, high in rows if wide > 0 and high > 0)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    palette = [png_chunk(b"PLTE", bytes(768))] if colour == 3 else []
    parts = [png_chunk(b"IHDR", header), *palette, *chunks, png_chunk(b"IDAT", zeros(size + extra))]
    return _PNG + b"".join([*parts, png_chunk(b"IEND", b"")])


def many_frames_gif(count):
    whole = saved(Image.new("P", (8, 8)), "GIF")
    frame = whole[whole.index(b",", 13) : -1]
    return whole[:-1] + frame * count + b";"


def many_frames_apng(count):
    head, tail = png(8, 8, pixels=bytes(72)).split(png_chunk(b"IDAT", zlib.compress(bytes(72))))
    body = zlib.compress(bytes(72))
    parts = [head, png_chunk(b"acTL", struct.pack(">II", count, 0)), png_chunk(b"IDAT", body)]
    for place in range(count):
        control = struct.pack(">IIIIIHHBB", 2 * place, 8, 8, 0, 0, 1, 10, 0, 0)
        parts += [png_chunk(b"fcTL", control), png_chunk(b"fdAT", struct.pack(">I", 2 * place + 1) + body)]
    return b"".join([*parts, tail])


def many_scans(count):
    whole = saved(Image.new("L", (SIDE, SIDE), 128), "JPEG", progressive=True)
    return whole[:-2] + whole[whole.rindex(b"\xff\xda") : -2] * count + whole[-2:]


def webp_canvas(width, height):
    """An animation whose canvas is larger than its frames."""
    data = bytearray(
        saved(Image.new("RGB", (8, 8)), "WEBP", save_all=True, append_images=[Image.new("RGB", (8, 8), 9)])
    )
    at = data.index(b"VP8X") + 12
    data[at : at + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(data)


def gif_frame_beyond_its_screen():
    data = bytearray(saved(Image.new("P", (8, 8)), "GIF"))
    at = data.index(b",", 13)
    data[at + 5 : at + 9] = struct.pack("<HH", 65_535, 65_535)
    return bytes(data)


def tiff(tags, *, then=0, body=b""):
    """Little-endian, one directory; ``tags`` are (tag, type, count, value)."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", then)
    return b"II*\0\x08\0\0\0" + directory + body


def tiff_basics(side, *, compression=1, at=200, size=100, samples=1):
    """Of one strip."""
    return [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1),
            (273, 4, 1, at), (277, 3, 1, samples), (278, 4, 1, side), (279, 4, 1, size)]  # fmt: skip


def _jpeg_note(marker, *bodies):
    """A small JPEG with application segments behind its start."""
    whole = saved(scene(), "JPEG")
    notes = b"".join(b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body for body in bodies)
    return whole[:2] + notes + whole[2:]


def _zip():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(30 << 20))
    return out.getvalue()


def _bmp_rle(width, height, data):
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    start = 14 + len(header) + 1024
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + bytes(1024) + data


def tiff_that_swells():
    strip = zeros(200 << 20)
    return tiff(tiff_basics(60_000, compression=8, size=len(strip)), body=bytes(78) + strip)


def flat(mode, format_, **options):
    return saved(Image.new(mode, (SIDE, SIDE)), format_, **options)


def deep_grey():
    return Image.linear_gradient("L").convert("I").point(lambda value: value * 257).convert("I;16")


REFUSED = {
    **{f"{name}-claims-3600-Mpx": lambda name=name: huge_headers()[name] for name in FORMATS},
    "png-100-Mpx-that-are-there": lambda: flat_png(10_000, 10_000, depth=1),
    "png-claims-minus-one": lambda: png(2**31 - 1, 1),
    "png-zTXt-bomb": lambda: png(2, 1, png_chunk(b"zTXt", b"a\0\0" + zeros(300 << 20)), pixels=bytes(3)),
    "png-iTXt-bomb": lambda: png(2, 1, png_chunk(b"iTXt", b"a\0\1\0\0\0" + zeros(300 << 20)), pixels=bytes(3)),
    "png-iCCP-bomb": lambda: png(2, 1, png_chunk(b"iCCP", b"a\0\0" + zeros(300 << 20)), pixels=bytes(3)),
    "png-cut": lambda: png(64, 64, pixels=bytes(64 * 65))[:-30],
    "png-without-pixels": lambda: _PNG + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 0, 0, 0, 0)),
    "jpeg-80000-scans": lambda: many_scans(80_000),
    "webp-canvas-of-16384": lambda: webp_canvas(16_384, 16_384),
    "webp-canvas-of-12000": lambda: webp_canvas(12_000, 12_000),
    "webp-cut": lambda: saved(scene(), "WEBP")[:100],
    "gif-frame-beyond-its-screen": gif_frame_beyond_its_screen,
    "gif-and-script": lambda: b"GIF89a/*" + bytes(4) + b"*/=1;alert(1)//;",
    "tiff-deflate-that-swells": tiff_that_swells,
    "tiff-of-60000-samples": lambda: tiff(tiff_basics(1000, samples=60_000), body=bytes(400)),
    "tiff-whose-directory-is-itself": lambda: tiff([(330, 4, 1, 8)], then=8),
    "tiff-count-of-4-billion": lambda: tiff([(256, 4, 2**32 - 1, 8), *tiff_basics(9)[1:]]),
    "bmp-rle-of-claims": lambda: _bmp_rle(60_000, 60_000, b"\xff\0" * 100),
    "bmp-header-lies": lambda: b"BM" + b"\xff" * 60,
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>',
    "html": lambda: b"<!doctype html><script>alert(1)</script>",
    "postscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(gs) run\n",
    "postscript-with-a-dos-header": lambda: b"\xc5\xd0\xd3\xc6\x1e\0\0\0\x90\x01\0\0" + bytes(20) + b"%!PS-Adobe-3.0\n",
    "pdf": lambda: b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n",
    "pdf-then-jpeg": lambda: b"%PDF-1.7\n" + saved(scene(), "JPEG"),
    "zip": _zip,
    "elf": lambda: b"\x7fELF" + random.Random(1).randbytes(4000),
    "noise": lambda: random.Random(1).randbytes(4000),
    "one-byte": lambda: b"\x89",
    "icon": lambda: saved(scene(32, 32), "ICO"),
}
"""What is not to be searched by."""
USABLE = {
    "png-49-Mpx": lambda: flat_png(SIDE, SIDE),
    "png-49-Mpx-of-16-bit-rgba": lambda: flat_png(SIDE, SIDE, depth=16, colour=6),
    "png-49-Mpx-interlaced": lambda: flat_png(SIDE, SIDE, interlaced=True),
    "png-idat-bomb": lambda: flat_png(2, 2, extra=1 << 30),
    "png-of-many-notes": lambda: flat_png(2, 2, chunks=[png_chunk(b"tEXt", b"a\0b")] * 20_000),
    "apng-of-100000-frames": lambda: many_frames_apng(100_000),
    "gif-of-100000-frames": lambda: many_frames_gif(100_000),
    "gif-49-Mpx": lambda: flat("P", "GIF"),
    "webp-49-Mpx": lambda: flat("RGB", "WEBP", lossless=True, method=0),
    "jpeg-49-Mpx-progressive": lambda: flat("L", "JPEG", progressive=True),
    "jpeg-of-xmp-and-exif": lambda: _jpeg_note(0xE1, *[b"http://ns.adobe.com/xap/1.0/\0" + b"<" * 60_000] * 40),
    "jpeg-of-icc": lambda: _jpeg_note(0xE2, *(b"ICC_PROFILE\0%c%c" % (n, 200) + bytes(60_000) for n in range(200))),
    "jpeg-of-comments": lambda: _jpeg_note(0xFE, *[b"\xff\xda" * 30_000] * 40),
    "jpeg-and-zip": lambda: saved(scene(), "JPEG") + _zip(),
    "jpeg-and-html": lambda: saved(scene(), "JPEG") + b"<script>alert(1)</script>",
    "jpeg-of-several": lambda: saved(scene(), "MPO", save_all=True, append_images=[scene(), scene()]),
    "jpeg-cmyk": lambda: saved(scene().convert("CMYK"), "JPEG"),
    "png-16-bit-grey": lambda: saved(deep_grey(), "PNG"),
    "png-palette-with-holes": lambda: saved(Image.linear_gradient("L").convert("P"), "PNG", transparency=b"\0" * 128),
    "png-two-colours": lambda: saved(Image.linear_gradient("L").convert("1"), "PNG"),
    "png-1x1": lambda: saved(Image.new("RGB", (1, 1), "red"), "PNG"),
    "png-1x60000": lambda: saved(Image.new("L", (1, 60_000)), "PNG"),
    "jpeg-60000x1": lambda: saved(Image.new("L", (60_000, 1)), "JPEG"),
    "bmp-rle-49-Mpx": lambda: _bmp_rle(SIDE, SIDE, (b"\xff\0" * 27 + b"\x73\0" + b"\0\0") * SIDE + b"\0\1"),
    "bmp-rle-of-jumps": lambda: _bmp_rle(SIDE, SIDE, b"\0\2\xff\xff" * 100_000 + b"\0\1"),
    "tiff-16-bit": lambda: saved(deep_grey(), "TIFF"),
    "tiff-lzw-49-Mpx": lambda: flat("L", "TIFF", compression="tiff_lzw"),
}
"""What is unusual and right: each is a picture to search by."""


def cut():
    """Every format cut off at places all over it, by name."""
    for form in FORMATS:
        whole = saved(Image.effect_noise((60, 40), 80).convert("RGB"), form)
        for share in (1, 5, 20, 60, 90, 98):
            yield f"{form}-{share}%", whole[: len(whole) * share // 100]
